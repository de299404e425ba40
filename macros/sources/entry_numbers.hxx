// Numbers the entries of a sample without event numbers: from 0 on, in the order of its files, whatever thread reads them,
// and whether or not the first of its files are read. With several threads RDataFrame's rdfentry_ is not that number for
// a TTree.
#pragma once

#include <ROOT/RDF/RSampleInfo.hxx>

#include <cstddef>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace entry_numbers {

class EntryNumbers {
   struct alignas(64) Slot {
      unsigned long long first = 0; // number of the first entry of what the slot reads now
      unsigned long long shift = 0; // from rdfentry_ to the number
      bool at_first = false;
   };
   std::vector<Slot> fSlots;
   std::map<std::string, unsigned long long> fFirst;

public:
   // files: as RDataFrame names them, file and tree; first: number of the first entry of each.
   EntryNumbers(std::size_t slots, const std::vector<std::string> &files, const std::vector<unsigned long long> &first)
      : fSlots(slots)
   {
      if (slots == 1 && !first.empty())
         fSlots[0].shift = first[0]; // of the files before these, of a sample of more
      for (std::size_t i = 0; i < files.size(); ++i)
         fFirst[files[i]] = first[i];
   }

   // To be called for each file, or range of one, that a slot begins to read.
   bool begin(unsigned int slot, const ROOT::RDF::RSampleInfo &range)
   {
      const auto file = fFirst.find(range.AsString());
      if (file == fFirst.end())
         throw std::runtime_error("events of " + range.AsString() + ", which is not a file of the sample");
      fSlots[slot].first = file->second + range.EntryRange().first;
      fSlots[slot].at_first = true;
      return true;
   }

   // To be called for each entry, before any is left out.
   bool note(unsigned int slot, unsigned long long entry)
   {
      auto &state = fSlots[slot];
      // One thread alone reads from first to last, in one go, and may start further down.
      if (state.at_first && fSlots.size() > 1)
         state.shift = state.first - entry;
      state.at_first = false;
      return true;
   }

   unsigned long long number(unsigned int slot, unsigned long long entry) const { return entry + fSlots[slot].shift; }
};

} // namespace entry_numbers
