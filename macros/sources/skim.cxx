// Entries of trees copied whole.
#include "sources/skim.hxx"

#include "sources/baskets.hxx"

#include <ROOT/RNTupleDescriptor.hxx>
#include <ROOT/RNTupleModel.hxx>
#include <ROOT/RNTupleReader.hxx>
#include <ROOT/RNTupleWriteOptions.hxx>
#include <ROOT/RNTupleWriter.hxx>
#include <TBranch.h>
#include <TDirectory.h>
#include <TFile.h>
#include <TKey.h>
#include <TLeaf.h>
#include <TTree.h>

#include <map>
#include <set>
#include <stdexcept>
#include <utility>

namespace skim {

namespace {

// The folder of a tree in a file, and the name of the tree in it.
std::pair<std::string, std::string> place_of(const std::string &tree)
{
   const auto slash = tree.rfind('/');
   return slash == tree.npos ? std::pair{std::string(), tree} : std::pair{tree.substr(0, slash), tree.substr(slash + 1)};
}

TDirectory &folder_for(TDirectory &target, const std::string &tree)
{
   const auto folder = place_of(tree).first;
   return folder.empty() ? target : *target.mkdir(folder.c_str(), "", true);
}

std::unique_ptr<TFile> open(const std::string &path)
{
   std::unique_ptr<TFile> file(TFile::Open(path.c_str()));
   if (!file || file->IsZombie())
      throw std::runtime_error("cannot be opened");
   return file;
}

TTree &tree_in(TFile &file, const std::string &name)
{
   auto *tree = file.Get<TTree>(name.c_str());
   if (!tree)
      throw std::runtime_error("has no tree " + name + " any more");
   return *tree;
}

// How a branch is stored: the types of its numbers, what counts them, and its parts.
std::string stored_as(TBranch &branch)
{
   std::string text = std::string(branch.GetClassName()) + "{";
   for (auto *object : *branch.GetListOfLeaves()) {
      auto &leaf = static_cast<TLeaf &>(*object);
      text += std::string(leaf.GetName()) + " " + leaf.GetTypeName() + " " + std::to_string(leaf.GetLenStatic());
      if (auto *counter = leaf.GetLeafCount())
         text += std::string(" by ") + counter->GetName() + " " + counter->GetTypeName();
      text += ";";
   }
   for (auto *part : *branch.GetListOfBranches())
      text += std::string(part->GetName()) + stored_as(static_cast<TBranch &>(*part));
   return text + "}";
}

void ignore(TBranch &branch)
{
   branch.SetBit(kDoNotProcess);
   for (auto *part : *branch.GetListOfBranches())
      ignore(static_cast<TBranch &>(*part));
}

// Whether what a file has under this name is an RNTuple.
bool is_ntuple(TDirectory &file, const std::string &tree)
{
   const auto [folder, name] = place_of(tree);
   auto *where = folder.empty() ? &file : file.GetDirectory(folder.c_str());
   auto *key = where ? where->GetKey(name.c_str()) : nullptr;
   return key && std::string(key->GetClassName()) == "ROOT::RNTuple";
}

} // namespace

struct Copy::Trees {
   virtual ~Trees() = default;
   virtual Names left_out() const { return {}; }
   virtual void begin(std::size_t file, bool checked) = 0;
   virtual void add(std::uint64_t entry) = 0;
   virtual void add_all() = 0;
   virtual unsigned long long close() = 0;
};

namespace {

class TTrees : public Copy::Trees {
   std::string fTree;
   Names fFiles;
   TDirectory &fTarget;
   std::set<std::string> fLeftOut;
   std::unique_ptr<TFile> fFile;
   TTree *fFrom = nullptr; // its file's
   TTree *fTo = nullptr;   // the target's

   void compare_files()
   {
      std::map<std::string, std::string> first;
      for (std::size_t i = 0; i < fFiles.size() && fFiles.size() > 1; ++i) {
         const auto file = open(fFiles[i]);
         std::map<std::string, std::string> found;
         for (auto *branch : *tree_in(*file, fTree).GetListOfBranches())
            found[branch->GetName()] = stored_as(static_cast<TBranch &>(*branch));
         if (!i)
            first = found;
         for (const auto &[one, other] : {std::pair{&first, &found}, std::pair{&found, &first}})
            for (const auto &[name, type] : *one)
               if (const auto same = other->find(name); same == other->end() || same->second != type)
                  fLeftOut.insert(name);
      }
   }

   void leave()
   {
      if (fFrom && fTo)
         fFrom->CopyAddresses(fTo, true);
      fFrom = nullptr;
      fFile.reset();
   }

public:
   TTrees(const std::string &tree, const Names &files, TDirectory &target)
      : fTree(tree), fFiles(files), fTarget(folder_for(target, tree))
   {
      compare_files();
   }
   ~TTrees() override { leave(); }

   Names left_out() const override { return {fLeftOut.begin(), fLeftOut.end()}; }

   void begin(std::size_t file, bool checked) override
   {
      leave();
      fFile = open(fFiles[file]);
      fFrom = &tree_in(*fFile, fTree);
      if (auto *friends = fFrom->GetListOfFriends())
         friends->Delete();
      Names names;
      for (auto *branch : *fFrom->GetListOfBranches()) {
         names.push_back(branch->GetName());
         if (fLeftOut.count(branch->GetName()))
            ignore(static_cast<TBranch &>(*branch));
      }
      if (checked)
         baskets::check(*fFrom, names);
      if (fTo) {
         fFrom->CopyAddresses(fTo);
         return;
      }
      const TDirectory::TContext context(&fTarget);
      fTarget.GetFile()->SetCompressionSettings(fFile->GetCompressionSettings());
      fTo = fFrom->CloneTree(0);
      if (!fTo)
         throw std::runtime_error("cannot be copied");
   }

   void add(std::uint64_t entry) override
   {
      if (fFrom->GetEntry(static_cast<Long64_t>(entry)) < 0)
         throw std::runtime_error("entry " + std::to_string(entry) + " cannot be read");
      if (fTo->Fill() < 0)
         throw std::runtime_error("entry " + std::to_string(entry) + " cannot be written");
   }

   void add_all() override
   {
      const auto expected = fTo->GetEntries() + fFrom->GetEntries();
      if (fLeftOut.empty())
         fTo->CopyEntries(fFrom, -1, "fast");
      else
         for (Long64_t entry = 0; entry < fFrom->GetEntries(); ++entry)
            add(static_cast<std::uint64_t>(entry));
      if (fTo->GetEntries() != expected)
         throw std::runtime_error("cannot be copied whole");
   }

   unsigned long long close() override
   {
      leave();
      const auto entries = static_cast<unsigned long long>(fTo->GetEntries());
      const TDirectory::TContext context(&fTarget);
      fTo->Write("", TObject::kOverwrite);
      delete std::exchange(fTo, nullptr);
      return entries;
   }
};

class Ntuples : public Copy::Trees {
   std::string fTree;
   Names fFiles;
   TDirectory &fTarget;
   std::unique_ptr<ROOT::RNTupleReader> fFrom;
   std::unique_ptr<ROOT::REntry> fRead;
   std::unique_ptr<ROOT::RNTupleWriter> fTo;
   std::unique_ptr<ROOT::REntry> fWritten;

   static std::string fields_of(const ROOT::RNTupleDescriptor &descriptor)
   {
      std::set<std::string> fields;
      for (const auto &field : descriptor.GetTopLevelFields())
         fields.insert(field.GetTypeName() + " " + field.GetFieldName() + ", ");
      std::string text;
      for (const auto &field : fields)
         text += field;
      return text;
   }

   static ROOT::RNTupleWriteOptions options_of(const ROOT::RNTupleDescriptor &descriptor)
   {
      ROOT::RNTupleWriteOptions options;
      for (const auto &cluster : descriptor.GetClusterIterable())
         for (const auto &column : cluster.GetColumnRangeIterable())
            if (const auto settings = column.GetCompressionSettings()) {
               options.SetCompression(*settings);
               return options;
            }
      return options;
   }

public:
   Ntuples(const std::string &tree, const Names &files, TDirectory &target)
      : fTree(tree), fFiles(files), fTarget(folder_for(target, tree))
   {
      std::string first;
      for (const auto &file : files) {
         const auto fields = fields_of(ROOT::RNTupleReader::Open(tree, file)->GetDescriptor());
         if (first.empty())
            first = fields;
         else if (fields != first)
            throw std::runtime_error(file + " has other columns than " + files[0] + "; analyse such files separately");
      }
   }

   void begin(std::size_t file, bool) override
   {
      fRead.reset();
      fFrom = ROOT::RNTupleReader::Open(fTree, fFiles[file]);
      if (!fTo) {
         // Columns that are shown under a second name stay so, and are not written twice.
         ROOT::RNTupleDescriptor::RCreateModelOptions as_written;
         as_written.SetReconstructProjections(true);
         const auto &descriptor = fFrom->GetDescriptor();
         fTo = ROOT::RNTupleWriter::Append(descriptor.CreateModel(as_written), place_of(fTree).second, fTarget,
                                           options_of(descriptor));
         fWritten = fTo->CreateEntry();
      }
      fRead = fFrom->GetModel().CreateEntry();
      for (const auto *field : fTo->GetModel().GetConstFieldZero().GetConstSubfields()) {
         const auto &name = field->GetFieldName();
         fRead->BindRawPtr<void>(name, fWritten->GetPtr<void>(name).get());
      }
   }

   void add(std::uint64_t entry) override
   {
      fFrom->LoadEntry(entry, *fRead);
      fTo->Fill(*fWritten);
   }

   void add_all() override
   {
      for (const auto entry : *fFrom)
         add(entry);
   }

   unsigned long long close() override
   {
      const auto entries = fTo->GetNEntries();
      fRead.reset();
      fFrom.reset();
      fWritten.reset();
      fTo->CommitDataset();
      fTo.reset();
      return entries;
   }
};

} // namespace

Copy::Copy(const std::string &tree, const Names &files, TDirectory &target)
{
   if (is_ntuple(*open(files.at(0)), tree))
      fTrees = std::make_unique<Ntuples>(tree, files, target);
   else
      fTrees = std::make_unique<TTrees>(tree, files, target);
}

Copy::~Copy() = default;

Names Copy::left_out() const
{
   return fTrees->left_out();
}

void Copy::begin(std::size_t file, bool checked)
{
   fTrees->begin(file, checked);
}

void Copy::add(const std::uint64_t *entries, std::size_t size)
{
   for (std::size_t i = 0; i < size; ++i)
      fTrees->add(entries[i]);
}

void Copy::add_all()
{
   fTrees->add_all();
}

unsigned long long Copy::close()
{
   return fTrees->close();
}

} // namespace skim
