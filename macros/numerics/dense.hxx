// Layers of dense networks for one event at a time: matrix times vector as BLAS has it, for SOFIE's code to call.
//
// A BLAS is made for large matrices and costs more in calls and choices than a small layer takes. Here the sizes are
// constants to the compiler once it has inlined a call. The outputs of a layer stay in registers, a block of them at a
// time, while the weights go by as they lie in memory. Sums are taken in a fixed order, which no compiler flag changes.
#pragma once

#include <cstddef>
#include <cstring>
#include <new>
#include <vector>

namespace dense {

constexpr std::size_t kCacheLine = 64;

// Memory that starts with a cache line, so that no vector of 64 bytes that is loaded from it is in two of them.
template <typename T>
struct Aligned {
   using value_type = T;
   Aligned() = default;
   template <typename U>
   Aligned(const Aligned<U> &)
   {
   }
   T *allocate(std::size_t size)
   {
      return static_cast<T *>(::operator new(size * sizeof(T), std::align_val_t(kCacheLine)));
   }
   void deallocate(T *memory, std::size_t) { ::operator delete(memory, std::align_val_t(kCacheLine)); }
   template <typename U>
   bool operator==(const Aligned<U> &) const
   {
      return true;
   }
   template <typename U>
   bool operator!=(const Aligned<U> &) const
   {
      return false;
   }
};

template <typename T>
using Tensor = std::vector<T, Aligned<T>>;

// `Lanes` numbers side by side: one register, or several on a CPU with narrower ones.
template <int Lanes>
struct Pack {
   typedef float type __attribute__((vector_size(Lanes * sizeof(float))));
};

template <int Lanes>
inline void load(typename Pack<Lanes>::type &pack, const float *from)
{
   std::memcpy(&pack, from, sizeof(pack)); // from wherever it lies, aligned or not
}

// Adds to `Packs` * `Lanes` neighbouring outputs: output[j] += sum over k of weights[k * stride + j] input[k]. Additions
// take several cycles each, so there are `Chains` partial sums of each output to work on in turn.
template <int Lanes, int Packs, int Chains>
inline void add_block(float *output, const float *weights, const float *input, std::size_t stride, int inputs)
{
   using Numbers = typename Pack<Lanes>::type;
   Numbers sums[Chains][Packs] = {};
   for (int p = 0; p < Packs; ++p)
      load<Lanes>(sums[0][p], output + p * Lanes);
   const auto add = [&](int chain, int k) {
      for (int p = 0; p < Packs; ++p) {
         Numbers w;
         load<Lanes>(w, weights + k * stride + p * Lanes);
         sums[chain][p] += w * input[k];
      }
   };
   int k = 0;
   for (; k + Chains <= inputs; k += Chains)
      for (int chain = 0; chain < Chains; ++chain)
         add(chain, k + chain);
   for (; k < inputs; ++k)
      add(0, k);
   for (int p = 0; p < Packs; ++p) {
      for (int chain = 1; chain < Chains; ++chain)
         sums[0][p] += sums[chain][p];
      std::memcpy(output + p * Lanes, &sums[0][p], sizeof(Numbers));
   }
}

// output[j] += sum over k of weights[k * outputs + j] input[k]: weights of shape (inputs, outputs).
inline void add_product(float *output, const float *weights, const float *input, int outputs, int inputs)
{
   const std::size_t stride = outputs;
   int j = 0;
   for (; j + 128 <= outputs; j += 128)
      add_block<16, 8, 1>(output + j, weights + j, input, stride, inputs);
   for (; j + 64 <= outputs; j += 64)
      add_block<16, 4, 2>(output + j, weights + j, input, stride, inputs);
   for (; j + 16 <= outputs; j += 16)
      add_block<16, 1, 8>(output + j, weights + j, input, stride, inputs);
   for (; j + 8 <= outputs; j += 8)
      add_block<8, 1, 8>(output + j, weights + j, input, stride, inputs);
   for (; j + 4 <= outputs; j += 4)
      add_block<4, 1, 8>(output + j, weights + j, input, stride, inputs);
   for (; j < outputs; ++j)
      for (int k = 0; k < inputs; ++k)
         output[j] += weights[k * stride + j] * input[k];
}

// Sum over k of a[k] b[k].
inline float dot(const float *a, const float *b, int size)
{
   constexpr int lanes = 16, chains = 4;
   using Numbers = Pack<lanes>::type;
   Numbers sums[chains] = {};
   int k = 0;
   for (; k + chains * lanes <= size; k += chains * lanes)
      for (int chain = 0; chain < chains; ++chain) {
         Numbers x, y;
         load<lanes>(x, a + k + chain * lanes);
         load<lanes>(y, b + k + chain * lanes);
         sums[chain] += x * y;
      }
   float sum = 0;
   for (; k < size; ++k)
      sum += a[k] * b[k];
   const Numbers all = (sums[0] + sums[1]) + (sums[2] + sums[3]);
   for (int lane = 0; lane < lanes; ++lane)
      sum += all[lane];
   return sum;
}

// Squared distances of a point from `Packs` * `Lanes` others.
template <int Lanes, int Packs>
inline void distances_of_block(float *distances, const float *point, const float *others, std::size_t stride,
                               int dimensions)
{
   using Numbers = typename Pack<Lanes>::type;
   Numbers sums[Packs] = {};
   for (int k = 0; k < dimensions; ++k)
      for (int p = 0; p < Packs; ++p) {
         Numbers other;
         load<Lanes>(other, others + k * stride + p * Lanes);
         const Numbers difference = point[k] - other;
         sums[p] += difference * difference;
      }
   for (int p = 0; p < Packs; ++p)
      std::memcpy(distances + p * Lanes, &sums[p], sizeof(Numbers));
}

// distances[j] = sum over k of (point[k] - others[k * count + j])^2: others of shape (dimensions, count).
inline void squared_distances(float *distances, const float *point, const float *others, int dimensions, int count)
{
   const std::size_t stride = count;
   int j = 0;
   for (; j + 64 <= count; j += 64)
      distances_of_block<16, 4>(distances + j, point, others + j, stride, dimensions);
   for (; j + 16 <= count; j += 16)
      distances_of_block<16, 1>(distances + j, point, others + j, stride, dimensions);
   for (; j < count; ++j)
      distances_of_block<1, 1>(distances + j, point, others + j, stride, dimensions);
}

// BLAS's C = alpha op(A) op(B) + beta C, matrices by columns. Layers with their weights by inputs, and sums, are fast.
inline void sgemm(const char *transa, const char *transb, const int *m, const int *n, const int *k, const float *alpha,
                  const float *A, const int *lda, const float *B, const int *ldb, const float *beta, float *C,
                  const int *ldc)
{
   if (*n == 1 && *transb == 'n' && *alpha == 1.f && (*beta == 0.f || *beta == 1.f)) {
      if (*beta == 0.f)
         std::memset(C, 0, *m * sizeof(float));
      if (*transa == 't' || *m == 1)
         for (int i = 0; i < *m; ++i)
            C[i] += dot(A + i * *lda, B, *k);
      else
         add_product(C, A, B, *m, *k);
      return;
   }
   for (int j = 0; j < *n; ++j)
      for (int i = 0; i < *m; ++i) {
         float sum = 0;
         for (int l = 0; l < *k; ++l)
            sum += (*transa == 'n' ? A[i + l * *lda] : A[l + i * *lda]) * (*transb == 'n' ? B[l + j * *ldb] : B[j + l * *ldb]);
         float &c = C[i + j * *ldc];
         c = *alpha * sum + (*beta == 0.f ? 0.f : *beta * c);
      }
}

} // namespace dense
