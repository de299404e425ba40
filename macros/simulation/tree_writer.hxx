// Writes columns of an event loop to a TTree with arrays as NanoAOD has them, Jet_pt[nJet]. RDataFrame's own Snapshot
// writes each array as an object, which takes three times as long and is not NanoAOD.
#pragma once

#include <ROOT/RDataFrame.hxx>
#include <ROOT/RVec.hxx>
#include <TFile.h>
#include <TTree.h>

#include <cstddef>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace tree_writer {

template <typename T>
constexpr char leaf_type();
template <>
constexpr char leaf_type<float>() { return 'F'; }
template <>
constexpr char leaf_type<double>() { return 'D'; }
template <>
constexpr char leaf_type<int>() { return 'I'; }
template <>
constexpr char leaf_type<unsigned int>() { return 'i'; }
template <>
constexpr char leaf_type<unsigned long long>() { return 'l'; }
template <>
constexpr char leaf_type<unsigned long>() { return 'l'; }

class TreeWriter {
   std::unique_ptr<TFile> fFile;
   TTree *fTree; // the file's
   std::vector<std::string> fNames;
   std::vector<TBranch *> fBranches;
   std::map<std::string, int> fSizes; // branch nJet -> its value; the tree has the addresses, which stay

   template <typename T>
   void set(std::size_t i, const T &value)
   {
      if (fBranches[i])
         fBranches[i]->SetAddress(const_cast<T *>(&value));
      else
         fBranches[i] = fTree->Branch(fNames[i].c_str(), const_cast<T *>(&value),
                                      (fNames[i] + "/" + leaf_type<T>()).c_str());
   }

   template <typename T>
   void set(std::size_t i, const ROOT::RVec<T> &values)
   {
      const auto counter = "n" + fNames[i].substr(0, fNames[i].find('_'));
      const auto [size, is_new] = fSizes.try_emplace(counter, 0);
      if (is_new)
         fTree->Branch(counter.c_str(), &size->second, (counter + "/I").c_str());
      size->second = static_cast<int>(values.size());
      if (fBranches[i])
         fBranches[i]->SetAddress(const_cast<T *>(values.data()));
      else
         fBranches[i] = fTree->Branch(fNames[i].c_str(), const_cast<T *>(values.data()),
                                      (fNames[i] + "[" + counter + "]/" + leaf_type<T>()).c_str());
   }

   template <typename... Values, std::size_t... I>
   void set_all(std::index_sequence<I...>, const Values &...values)
   {
      (set(I, values), ...);
   }

public:
   // Adds a tree to a file that exists; a cluster of it has this many entries.
   TreeWriter(const std::string &file, const std::string &tree, const std::string &title,
              const std::vector<std::string> &names, long long cluster_entries)
      : fFile(TFile::Open(file.c_str(), "UPDATE")), fNames(names), fBranches(names.size(), nullptr)
   {
      if (!fFile || fFile->IsZombie())
         throw std::runtime_error("cannot write to " + file);
      fFile->SetCompressionSettings(101); // ZLIB, whose damage ROOT notices
      fTree = new TTree(tree.c_str(), title.c_str(), 99, fFile.get());
      fTree->SetAutoFlush(cluster_entries);
      fTree->SetAutoSave(0);
   }

   // Write an entry: one value or RVec for each name. Always true.
   template <typename... Values>
   bool fill(const Values &...values)
   {
      set_all(std::index_sequence_for<Values...>(), values...);
      if (fTree->Fill() < 0 || fFile->TestBit(TFile::kWriteError))
         throw std::runtime_error("cannot write to " + std::string(fFile->GetName()));
      return true;
   }

   void close()
   {
      fFile->Write();
      const bool failed = fFile->TestBit(TFile::kWriteError);
      fFile->Close();
      if (failed)
         throw std::runtime_error("cannot write to " + std::string(fFile->GetName()));
   }
};

// Book the writing of columns of an event loop. The writer has to live as long as the loop runs.
template <typename... Columns>
ROOT::RDF::RResultPtr<ULong64_t> book(ROOT::RDF::RNode events, const std::vector<std::string> &names, TreeWriter &writer)
{
   return events.Filter([&writer](const Columns &...values) { return writer.fill(values...); }, names).Count();
}

} // namespace tree_writer
