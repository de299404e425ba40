// Writes columns of numbers, or of vectors of numbers, batch by batch to an RNTuple; each batch becomes a cluster, and
// so work for one core.
#pragma once

#include <ROOT/RField.hxx>
#include <ROOT/RNTupleModel.hxx>
#include <ROOT/RNTupleWriter.hxx>
#include <ROOT/RVec.hxx>
#include <TDirectory.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace table_writer {

class TableWriter {
   // What a row has in one column. The field is bound to `number` or, if it is one of vectors, to `vector`.
   struct Column {
      std::size_t size;                               // bytes of a number
      bool is_vector;                                 // any number of numbers in each row
      alignas(8) std::array<unsigned char, 8> number; // of the row being written
      // A view of those of the row being written. RNTuple goes by address and count, which stand at the same place in an
      // RVec of any type.
      ROOT::RVec<unsigned char> vector;
   };
   std::vector<std::unique_ptr<Column>> fColumns;
   std::size_t fVectors = 0; // columns that are of vectors
   std::unique_ptr<ROOT::RNTupleWriter> fWriter;
   std::unique_ptr<ROOT::REntry> fRow;

   std::unique_ptr<ROOT::RNTupleModel> make_model(const std::vector<std::string> &names,
                                                  const std::vector<std::string> &types)
   {
      auto model = ROOT::RNTupleModel::CreateBare();
      for (std::size_t i = 0; i < names.size(); ++i) {
         auto field = ROOT::RFieldBase::Create(names[i], types[i]).Unwrap();
         const auto items = field->GetConstSubfields();
         const auto size = (items.empty() ? field.get() : items[0])->GetValueSize();
         fColumns.push_back(std::make_unique<Column>(Column{size, !items.empty(), {}, {}}));
         fVectors += fColumns.back()->is_vector;
         model->AddField(std::move(field));
      }
      return model;
   }

   void bind(const std::vector<std::string> &names)
   {
      fRow = fWriter->GetModel().CreateBareEntry();
      for (std::size_t i = 0; i < names.size(); ++i) {
         auto &column = *fColumns[i];
         fRow->BindRawPtr<void>(names[i], column.is_vector ? static_cast<void *>(&column.vector) : column.number.data());
      }
   }

public:
   // names and types of the columns: numbers of at most 8 bytes, or ROOT::RVec of such, in C++ as RNTuple spells them.
   TableWriter(const std::string &path, const std::string &table, const std::vector<std::string> &names,
               const std::vector<std::string> &types)
      : fWriter(ROOT::RNTupleWriter::Recreate(make_model(names, types), table, path))
   {
      bind(names);
   }
   // In a file that is there already.
   TableWriter(TDirectory &target, const std::string &table, const std::vector<std::string> &names,
               const std::vector<std::string> &types)
      : fWriter(ROOT::RNTupleWriter::Append(make_model(names, types), table, target))
   {
      bind(names);
   }

   // addresses: of the first number of each column, in the order of the names; those of `rows` rows lie behind each.
   // counts: for each column of vectors, in the same order, the address of `rows` uint64: how many numbers a row has.
   void write(std::size_t rows, const std::vector<std::uintptr_t> &addresses,
              const std::vector<std::uintptr_t> &counts = {})
   {
      if (addresses.size() != fColumns.size())
         throw std::invalid_argument("one address a column is needed");
      if (counts.size() != fVectors)
         throw std::invalid_argument("the counts of each column of vectors are needed");
      std::vector<unsigned char *> next; // number of each column
      for (const auto address : addresses)
         next.push_back(reinterpret_cast<unsigned char *>(address));
      for (std::size_t row = 0; row < rows; ++row) {
         auto count = counts.begin();
         for (std::size_t i = 0; i < fColumns.size(); ++i) {
            auto &column = *fColumns[i];
            std::size_t numbers = 1;
            if (column.is_vector) {
               numbers = reinterpret_cast<const std::uint64_t *>(*count++)[row];
               column.vector = ROOT::RVec<unsigned char>(next[i], numbers);
            } else {
               std::memcpy(column.number.data(), next[i], column.size);
            }
            next[i] += numbers * column.size;
         }
         fWriter->Fill(*fRow);
      }
      fWriter->CommitCluster();
   }

   // Complete the file. Without it the file cannot be opened, which is what an interrupted conversion should leave.
   void close()
   {
      fRow.reset();
      fWriter->CommitDataset(); // the destructor would keep it to itself that the disk is full
      fWriter.reset();
   }
};

} // namespace table_writer
