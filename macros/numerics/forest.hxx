// Decision trees, packed so that an event goes down many of them in little time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

namespace forest {

// The two children of a node lie side by side, so that a comparison is all it takes to choose one: no branch that the
// CPU would have to guess. A leaf is its own child, as no value is less than its NaN.
struct Node {
   float cut;             // the largest value that goes to `child` + 1
   std::uint32_t child;   // where larger values, and NaN, go to
   std::uint32_t feature; // that is cut on
};

// The nodes of all trees, as they are numbered in an ONNX file: parents before their children.
struct Tables {
   std::vector<std::uint32_t> roots;       // of the trees
   std::vector<std::uint32_t> left, right; // children; a leaf is its own
   std::vector<std::uint32_t> feature;     // that a node cuts on
   std::vector<float> cut;                 // the largest value that goes left
};

class Walk {
   std::vector<Node> fNodes;            // the roots of all trees, then pairs of children
   std::vector<std::uint32_t> fNumbers; // of these nodes in the tables
   std::size_t fTrees;
   int fDepth = 0;

   // A tree's step waits for memory and for the step before it: a group of trees goes down together.
   static constexpr std::size_t kTogether = 10;

   template <std::size_t Trees>
   void walk(std::size_t first, const float *features, std::int64_t *leaves) const
   {
      const Node *nodes = fNodes.data();
      std::uint32_t at[Trees];
      for (std::size_t tree = 0; tree < Trees; ++tree)
         at[tree] = first + tree;
      for (int level = 0; level < fDepth; ++level)
         for (std::size_t tree = 0; tree < Trees; ++tree) {
            const Node &node = nodes[at[tree]];
            at[tree] = node.child + (features[node.feature] <= node.cut);
         }
      for (std::size_t tree = 0; tree < Trees; ++tree)
         leaves[first + tree] = fNumbers[at[tree]];
   }

public:
   explicit Walk(const Tables &tables)
      : fNodes(tables.cut.size()), fNumbers(tables.cut.size()), fTrees(tables.roots.size())
   {
      std::vector<std::uint32_t> places(fNodes.size());
      std::uint32_t place = 0;
      for (const auto root : tables.roots)
         places[root] = place++;
      for (std::size_t i = 0; i < fNodes.size(); ++i)
         if (tables.left[i] != i) {
            places[tables.right[i]] = place++;
            places[tables.left[i]] = place++;
         }
      for (std::size_t i = 0; i < fNodes.size(); ++i) {
         const float cut = tables.left[i] == i ? std::numeric_limits<float>::quiet_NaN() : tables.cut[i];
         fNodes[places[i]] = {cut, places[tables.right[i]], tables.feature[i]};
         fNumbers[places[i]] = i;
      }
      std::vector<int> levels(fNodes.size());
      for (std::size_t i = 0; i < fNodes.size(); ++i) { // children lie behind their parents
         const Node &node = fNodes[i];
         if (node.child != i)
            fDepth = std::max(fDepth, levels[node.child] = levels[node.child + 1] = levels[i] + 1);
      }
   }

   // Writes the numbers of the leaves, as in the tables, that an event reaches, one of each tree.
   void operator()(const float *features, std::int64_t *leaves) const
   {
      std::size_t tree = 0;
      for (; tree + kTogether <= fTrees; tree += kTogether)
         walk<kTogether>(tree, features, leaves);
      for (; tree < fTrees; ++tree)
         walk<1>(tree, features, leaves);
   }
};

// Reads a table from a file in which SOFIE's own may stand before it: its name, how many integers, and these.
inline std::vector<std::uint32_t> read_table(std::istream &file, const std::string &name)
{
   std::string word;
   while (file >> word && word != name) {
   }
   std::size_t size = 0;
   file >> size;
   std::vector<std::uint32_t> table(file ? size : 0);
   for (auto &number : table)
      file >> number;
   if (!file)
      throw std::runtime_error("no whole table " + name + " among the weights");
   return table;
}

inline Tables read_tables(const std::string &weights)
{
   std::ifstream file(weights);
   Tables tables;
   tables.roots = read_table(file, "walk.roots");
   tables.left = read_table(file, "walk.left");
   tables.right = read_table(file, "walk.right");
   tables.feature = read_table(file, "walk.feature");
   const auto bits = read_table(file, "walk.cut"); // of float32, so that none is lost and infinity is one
   tables.cut.resize(bits.size());
   std::memcpy(tables.cut.data(), bits.data(), bits.size() * sizeof(float));
   return tables;
}

} // namespace forest
