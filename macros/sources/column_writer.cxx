// Columns of numbers in a new TTree or RNTuple.
#include "sources/column_writer.hxx"

#include "sources/table_writer.hxx"

#include <TDirectory.h>
#include <TTree.h>

#include <array>
#include <cstring>
#include <map>
#include <stdexcept>
#include <utility>

namespace column_writer {

struct Columns::Writer {
   virtual ~Writer() = default;
   virtual void write(std::size_t rows, const std::vector<std::uintptr_t> &addresses) = 0;
   virtual void close() = 0;
};

namespace {

class ToNtuple : public Columns::Writer {
   table_writer::TableWriter fWriter;

public:
   ToNtuple(const std::string &name, const Names &columns, const Names &types, TDirectory &target)
      : fWriter(target, name, columns, types)
   {
   }
   void write(std::size_t rows, const std::vector<std::uintptr_t> &addresses) override { fWriter.write(rows, addresses); }
   void close() override { fWriter.close(); }
};

class ToTTree : public Columns::Writer {
   struct Column {
      std::size_t size;
      alignas(8) std::array<unsigned char, 8> number; // of the row being written
   };
   std::vector<std::unique_ptr<Column>> fColumns;
   TDirectory &fTarget;
   std::unique_ptr<TTree> fTree;

public:
   ToTTree(const std::string &name, const Names &columns, const Names &types, TDirectory &target) : fTarget(target)
   {
      static const std::map<std::string, std::pair<std::string, std::size_t>> known{{"bool", {"O", 1}},
                                                                                  {"float", {"F", 4}},
                                                                                  {"double", {"D", 8}},
                                                                                  {"std::int32_t", {"I", 4}},
                                                                                  {"std::uint32_t", {"i", 4}},
                                                                                  {"std::uint64_t", {"l", 8}}};
      const TDirectory::TContext context(&target);
      fTree = std::make_unique<TTree>(name.c_str(), name.c_str());
      for (std::size_t i = 0; i < columns.size(); ++i) {
         const auto &[leaf, size] = known.at(types[i]);
         fColumns.push_back(std::make_unique<Column>(Column{size, {}}));
         fTree->Branch(columns[i].c_str(), fColumns.back()->number.data(), (columns[i] + "/" + leaf).c_str());
      }
   }

   void write(std::size_t rows, const std::vector<std::uintptr_t> &addresses) override
   {
      for (std::size_t row = 0; row < rows; ++row) {
         for (std::size_t i = 0; i < fColumns.size(); ++i) {
            auto &[size, number] = *fColumns[i];
            std::memcpy(number.data(), reinterpret_cast<const unsigned char *>(addresses.at(i)) + row * size, size);
         }
         if (fTree->Fill() < 0)
            throw std::runtime_error("row " + std::to_string(row) + " cannot be written");
      }
   }

   void close() override
   {
      const TDirectory::TContext context(&fTarget);
      fTree->Write("", TObject::kOverwrite);
      fTree.reset();
   }
};

} // namespace

Columns::Columns(const std::string &name, const Names &columns, const Names &types, TDirectory &target, bool is_ttree)
{
   if (is_ttree)
      fWriter = std::make_unique<ToTTree>(name, columns, types, target);
   else
      fWriter = std::make_unique<ToNtuple>(name, columns, types, target);
}

Columns::~Columns() = default;

void Columns::write(std::size_t rows, const std::vector<std::uintptr_t> &addresses)
{
   fWriter->write(rows, addresses);
}

void Columns::close()
{
   fWriter->close();
}

} // namespace column_writer
