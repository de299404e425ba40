// Writes columns of numbers, batch by batch, to an RNTuple; each batch becomes a cluster, and so work for one core.
#pragma once

#include <ROOT/RField.hxx>
#include <ROOT/RNTupleModel.hxx>
#include <ROOT/RNTupleWriter.hxx>

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
   struct Column {
      std::size_t size;                             // bytes of a value
      alignas(8) std::array<unsigned char, 8> value; // of the row being written
   };
   std::vector<std::unique_ptr<Column>> fColumns;
   std::unique_ptr<ROOT::RNTupleWriter> fWriter;
   std::unique_ptr<ROOT::REntry> fRow;

public:
   // names and types (C++, as RNTuple spells them) of the columns, which hold numbers of at most 8 bytes.
   TableWriter(const std::string &path, const std::string &table, const std::vector<std::string> &names,
               const std::vector<std::string> &types)
   {
      auto model = ROOT::RNTupleModel::CreateBare();
      for (std::size_t i = 0; i < names.size(); ++i) {
         auto field = ROOT::RFieldBase::Create(names[i], types[i]).Unwrap();
         fColumns.push_back(std::make_unique<Column>(Column{field->GetValueSize(), {}}));
         model->AddField(std::move(field));
      }
      fWriter = ROOT::RNTupleWriter::Recreate(std::move(model), table, path);
      fRow = fWriter->GetModel().CreateBareEntry();
      for (std::size_t i = 0; i < names.size(); ++i)
         fRow->BindRawPtr<void>(names[i], fColumns[i]->value.data());
   }

   // addresses: of the first value of each column, in the order of the names; `rows` values lie behind each.
   void write(std::size_t rows, const std::vector<std::uintptr_t> &addresses)
   {
      if (addresses.size() != fColumns.size())
         throw std::invalid_argument("one address a column is needed");
      for (std::size_t row = 0; row < rows; ++row) {
         for (std::size_t i = 0; i < fColumns.size(); ++i) {
            auto &column = *fColumns[i];
            std::memcpy(column.value.data(), reinterpret_cast<const char *>(addresses[i]) + row * column.size,
                        column.size);
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
