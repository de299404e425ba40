// Columns that are computed all at once, and scales that are varied, as nodes of the graph; see graph.hxx and columns.hxx.
//
// RDataFrame's own Define is a template over the function and the types of all columns that it reads: g++ would compile
// hundreds of lines of ROOT anew for each set of columns. These nodes are told the types when the graph is built. What
// they are made of is internal to ROOT, whose version is pinned.
#include "graph/graph.hxx"

#include <ROOT/RDF/ColumnReaderUtils.hxx>
#include <ROOT/RDF/InterfaceUtils.hxx>
#include <ROOT/RDF/RDefineBase.hxx>
#include <ROOT/RVec.hxx>

#include <algorithm>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <typeinfo>
#include <unordered_map>
#include <utility>
#include <vector>

namespace graph {

namespace {

using recorded::Computation;
using recorded::MakeComputation;
using ROOT::Detail::RDF::RColumnReaderBase;
using ROOT::Detail::RDF::RDefineBase;
using ROOT::Detail::RDF::RLoopManager;
using ROOT::Internal::RDF::RColumnRegister;
using Types = std::vector<const std::type_info *>;

std::string name_of(const std::type_info &type)
{
   const auto known = ROOT::Internal::RDF::TypeID2TypeName(type);
   return known.empty() ? "CLING_UNKNOWN_TYPE_" + ROOT::Internal::RDF::DemangleTypeIdName(type) : known;
}

// A defined column, and the same for each variation that it depends on. Derived makes one for a variation.
template <typename Derived>
class Define : public RDefineBase {
   std::unordered_map<std::string, std::unique_ptr<RDefineBase>> fVaried;

protected:
   const std::type_info &fTypeId;

public:
   Define(const std::string &name, const std::type_info &type, const Names &read, const RColumnRegister &known,
          RLoopManager &loop, const std::string &variation)
      : RDefineBase(name, name_of(type), known, loop, read, variation), fTypeId(type)
   {
      fLoopManager->Register(this);
   }
   ~Define() override { fLoopManager->Deregister(this); }

   const std::type_info &GetTypeId() const final { return fTypeId; }

   void FinalizeSlot(unsigned int slot) override
   {
      for (auto &varied : fVaried)
         varied.second->FinalizeSlot(slot);
   }

   void MakeVariations(const std::vector<std::string> &variations) final
   {
      for (const auto &variation : variations)
         if (std::count(fVariationDeps.begin(), fVariationDeps.end(), variation) && !fVaried.count(variation))
            fVaried[variation] = static_cast<const Derived *>(this)->varied(variation);
   }

   RDefineBase &GetVariedDefine(const std::string &variation) final
   {
      const auto found = fVaried.find(variation);
      return found == fVaried.end() ? *this : *found->second;
   }
};

// The first result, whose column calls the function.
class First final : public Define<First> {
   struct alignas(64) Slot {
      std::unique_ptr<Computation> computation;
      std::vector<Computation::Result> results;
      std::vector<RColumnReaderBase *> readers;
      std::vector<const void *> places;
      Long64_t done = -1;
   };
   MakeComputation *fMake;
   Types fTypes;
   stopwatch::Stopwatch *fStopwatch;
   std::vector<Slot> fSlots;

public:
   First(const std::string &name, MakeComputation *make, const std::type_info &type, const Names &read,
         const Types &types, stopwatch::Stopwatch *stopwatch, const RColumnRegister &known, RLoopManager &loop,
         const std::string &variation)
      : Define(name, type, read, known, loop, variation), fMake(make), fTypes(types), fStopwatch(stopwatch),
        fSlots(loop.GetNSlots())
   {
      for (auto &slot : fSlots) {
         slot.computation.reset(make());
         slot.results = slot.computation->results();
         slot.places.resize(types.size());
      }
   }

   std::unique_ptr<RDefineBase> varied(const std::string &variation) const
   {
      return std::make_unique<First>(fName, fMake, fTypeId, fColumnNames, fTypes, fStopwatch, fColRegister, *fLoopManager,
                                     variation);
   }

   void InitSlot(TTreeReader *reader, unsigned int slot) override
   {
      fSlots[slot].readers = ROOT::Internal::RDF::GetUntypedColumnReaders(slot, reader, fColRegister, *fLoopManager,
                                                                           fColumnNames, fTypes, fVariation);
      fSlots[slot].done = -1;
   }

   void FinalizeSlot(unsigned int slot) override
   {
      fSlots[slot].readers.clear();
      Define::FinalizeSlot(slot);
   }

   void *place(unsigned int slot, std::size_t i) { return const_cast<void *>(fSlots[slot].results[i].place); }
   void *GetValuePtr(unsigned int slot) override { return place(slot, 0); }

   void Update(unsigned int slot, Long64_t entry) override
   {
      auto &here = fSlots[slot];
      if (here.done == entry)
         return;
      for (std::size_t i = 0; i < here.readers.size(); ++i)
         if (!(here.places[i] = here.readers[i]->TryGet<void>(entry)))
            throw std::out_of_range("column " + fColumnNames[i] + " has no value for entry " + std::to_string(entry));
      if (fStopwatch)
         fStopwatch->mark(slot, stopwatch::kRead);
      here.computation->compute(here.places.data());
      if (fStopwatch)
         fStopwatch->mark(slot, stopwatch::kColumns);
      here.done = entry;
   }
};

// Another result.
class Other final : public Define<Other> {
   First &fFirst;
   std::size_t fResult;

   First &first() const
   {
      return static_cast<First &>(fColRegister.GetDefine(fColumnNames[0])->GetVariedDefine(fVariation));
   }

public:
   Other(const std::string &name, std::size_t result, const std::type_info &type, const std::string &first_name,
         const RColumnRegister &known, RLoopManager &loop, const std::string &variation)
      : Define(name, type, {first_name}, known, loop, variation), fFirst(first()), fResult(result)
   {
   }

   std::unique_ptr<RDefineBase> varied(const std::string &variation) const
   {
      return std::make_unique<Other>(fName, fResult, fTypeId, fColumnNames[0], fColRegister, *fLoopManager, variation);
   }

   void InitSlot(TTreeReader *, unsigned int) override {}
   void *GetValuePtr(unsigned int slot) override { return fFirst.place(slot, fResult); }
   void Update(unsigned int slot, Long64_t entry) override { fFirst.Update(slot, entry); }
};

// A node that can be given columns that are no template.
class Head : public RNode {
public:
   explicit Head(const RNode &events) : RNode(events) {}

   void check(const std::string &name, bool is_there) const
   {
      using namespace ROOT::Internal::RDF;
      const auto columns = GetDataSource() ? GetDataSource()->GetColumnNames() : Names();
      CheckValidCppVarName(name, "Define");
      if (is_there) {
         CheckForDefinition("Redefine", name, fColRegister, columns);
         CheckForNoVariations("Redefine", name, fColRegister);
      } else {
         CheckForRedefinition("Define", name, fColRegister, columns);
      }
   }

   Names read(const Names &columns, const Types &types)
   {
      const auto valid = GetValidatedColumnNames(columns.size(), columns);
      CheckAndFillDSColumns(valid, types);
      return valid;
   }

   template <typename Column, typename... Arguments>
   void define(Arguments &&...arguments)
   {
      auto column = std::make_shared<Column>(std::forward<Arguments>(arguments)..., fColRegister, *fLoopManager, "nominal");
      fColRegister.AddDefine(std::move(column));
   }
};

} // namespace

RNode define_columns(RNode events, std::uintptr_t make, const Names &read, const Names &names, const Names &there,
                     stopwatch::Stopwatch *stopwatch)
{
   const auto made = reinterpret_cast<MakeComputation *>(make);
   const std::unique_ptr<Computation> computation(made());
   const auto types = computation->read_types();
   const auto results = computation->results();
   const std::set<std::string> known(there.begin(), there.end());
   Head head(events);
   const auto columns = head.read(read, types);
   for (std::size_t i = 0; i < names.size(); ++i) {
      const auto &type = *results.at(i).type;
      head.check(names[i], known.count(names[i]));
      if (i == 0)
         head.define<First>(names[i], made, type, columns, types, stopwatch);
      else
         head.define<Other>(names[i], i, type, names[0]);
   }
   return head;
}

RNode vary_scale(RNode events, const std::string &column, double up, double down, const Names &directions,
                 const std::string &variation)
{
   const auto scales = [up, down] { return ROOT::RVec<double>{up, down}; };
   return events.Define(column, [] { return 1.; }).Vary(column, scales, {}, directions, variation);
}

} // namespace graph
