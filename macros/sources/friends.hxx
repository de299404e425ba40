// Friends that a TTree names and that are gone: their file was not copied along, or has lost their tree. RDataFrame takes it
// for granted that they are there, and crashes. Those that are shorter than the tree, or are matched by an index, it reads
// right, or says what is missing.
#pragma once

#include <TClass.h>
#include <TDirectory.h>
#include <TFile.h>
#include <TFriendElement.h>
#include <TNamed.h>
#include <TNtuple.h>
#include <TNtupleD.h>
#include <TSystem.h>
#include <TTree.h>

#include <memory>
#include <string>
#include <vector>

namespace friends {

inline bool has_tree(TDirectory &file, const std::string &tree)
{
   const auto slash = tree.rfind('/');
   auto *folder = slash == tree.npos ? &file : file.GetDirectory(tree.substr(0, slash).c_str());
   return folder && folder->GetKey(tree.substr(slash + 1).c_str());
}

// Whether a friend can be had. One without a file's name is in the file of the tree itself.
inline bool is_there(TFriendElement &element, TDirectory *own)
{
   const std::string path = element.GetTitle(), tree = element.GetTreeName();
   if (path.empty())
      return !own || has_tree(*own, tree);
   if (path.find("://") == path.npos && gSystem->AccessPathName(path.c_str())) // true where it cannot be accessed
      return false;
   const TDirectory::TContext context;
   const std::unique_ptr<TFile> file(TFile::Open(path.c_str()));
   return file && !file->IsZombie() && has_tree(*file, tree);
}

inline std::string in_words(const TFriendElement &element)
{
   const std::string path = element.GetTitle();
   return std::string(element.GetTreeName()) + (path.empty() ? "" : " of " + path);
}

inline std::vector<TFriendElement *> absent_elements(const TTree &tree, TDirectory *own)
{
   std::vector<TFriendElement *> found;
   if (const auto *elements = tree.GetListOfFriends())
      for (auto *element : *elements)
         if (!is_there(static_cast<TFriendElement &>(*element), own))
            found.push_back(static_cast<TFriendElement *>(element));
   return found;
}

// The friends of a tree that are gone, in words.
inline std::vector<std::string> absent(TTree &tree)
{
   std::vector<std::string> found;
   for (const auto *element : absent_elements(tree, tree.GetDirectory()))
      found.push_back(in_words(*element));
   return found;
}

// Name under which a tree's own information says which friends it was read without.
inline std::string &told_as()
{
   static std::string name;
   return name;
}

// A tree that, when it is read, forgets the friends that are gone, and says so.
template <typename Tree>
class Read : public Tree {
public:
   void Streamer(TBuffer &buffer) override
   {
      Tree::Streamer(buffer);
      if (!buffer.IsReading())
         return;
      for (auto *element : absent_elements(*this, dynamic_cast<TDirectory *>(buffer.GetParent()))) {
         this->GetUserInfo()->Add(new TNamed(told_as().c_str(), in_words(*element).c_str()));
         delete this->GetListOfFriends()->Remove(element);
      }
   }

   static void *make(void *place) { return place ? new (place) Read : new Read; }
};

// From now on trees are read without friends that are gone.
inline void forget_absent(const std::string &name)
{
   told_as() = name;
   TTree::Class()->SetNew(Read<TTree>::make);
   TNtuple::Class()->SetNew(Read<TNtuple>::make);
   TNtupleD::Class()->SetNew(Read<TNtupleD>::make);
}

} // namespace friends
