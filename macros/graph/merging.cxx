// Parts of a sample put together: the rows of their RNTuples one after the other.
#include "graph/merging.hxx"

#include <ROOT/RNTupleDescriptor.hxx>
#include <ROOT/RNTupleMerger.hxx>
#include <ROOT/RNTupleModel.hxx>
#include <ROOT/RNTupleWriteOptions.hxx>
#include <ROOT/RPageStorage.hxx>
#include <ROOT/RPageStorageFile.hxx>

#include <exception>
#include <memory>
#include <stdexcept>
#include <utility>

namespace merging {

using ROOT::Internal::RPageSource;

namespace {

// The names and types of the columns, in their order, and the number of rows.
std::pair<std::string, unsigned long long> contents(RPageSource &source, const std::string &part)
{
   try {
      source.Attach();
   } catch (const std::exception &error) {
      throw std::runtime_error(part + ": " + error.what());
   }
   const auto guard = source.GetSharedDescriptorGuard();
   std::string columns;
   for (const auto &field : guard->GetTopLevelFields())
      columns += field.GetTypeName() + " " + field.GetFieldName() + ", ";
   return {columns, guard->GetNEntries()};
}

} // namespace

std::vector<unsigned long long>
concatenate(const std::string &table, const std::vector<std::string> &parts, TDirectory &target)
{
   std::vector<std::unique_ptr<RPageSource>> opened;
   std::vector<RPageSource *> sources;
   std::vector<unsigned long long> rows;
   std::string columns;
   for (const auto &part : parts) {
      opened.push_back(RPageSource::Create(table, part));
      const auto [found, number] = contents(*opened.back(), part);
      if (rows.empty())
         columns = found;
      else if (found != columns)
         throw std::runtime_error(part + " has other columns than " + parts[0]);
      rows.push_back(number);
      if (number) // one without rows would abort the process
         sources.push_back(opened.back().get());
   }
   if (sources.empty())
      return rows;
   namespace merger = ROOT::Experimental::Internal;
   merger::RNTupleMergeOptions options;
   options.fMergingMode = merger::ENTupleMergingMode::kStrict;
   merger::RNTupleMerger(
      std::make_unique<ROOT::Internal::RPageSinkFile>(table, target, ROOT::RNTupleWriteOptions()))
      .Merge(sources, options)
      .ThrowOnError();
   return rows;
}

} // namespace merging
