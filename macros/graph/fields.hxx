// Numbers of an event and of its scores, as rows and histograms take them.
#pragma once

#include "graph/recorded.hxx"
#include "scoring/scores.hxx"

#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

namespace fields {

// What a number is. Python has the same numbers in rdf/graph/fields.py; a test compares them.
enum Kind : unsigned int { kValue, kLabel, kFold, kScore, kRank, kFlag, kVotes, kEnsemble, kEnsembleFlag, kWeight };

// A number as the sum of float32 words, each of which is what the words before it leave: three make a double.
inline float word(double number, std::size_t index)
{
   for (; index; --index)
      number -= static_cast<float>(number);
   return static_cast<float>(number);
}

// One number of an event: its kind, and its place among the event's values or detectors where the kind has several.
class Field {
   Kind fKind;
   std::size_t fIndex;

public:
   Field(unsigned int kind, std::size_t index) : fKind(static_cast<Kind>(kind)), fIndex(index)
   {
      if (kind > kWeight)
         throw std::invalid_argument("no field of an event is of the kind " + std::to_string(kind));
   }

   Kind kind() const { return fKind; }

   float of(const recorded::Event &event, const scoring::Scores &scores) const
   {
      switch (fKind) {
      case kValue: return event.values[fIndex];
      case kLabel: return event.label;
      case kFold: return scores.fold;
      case kScore: return scores.score[fIndex];
      case kRank: return scores.rank[fIndex];
      case kFlag: return scores.flag[fIndex];
      case kVotes: return scores.votes;
      case kEnsemble: return scores.ensemble;
      case kWeight: return word(event.weight, fIndex);
      default: return scores.flagged;
      }
   }
};

// Fields in the order in which a row or a histogram has them.
class Fields {
   std::vector<Field> fFields;

public:
   void add(unsigned int kind, std::size_t index) { fFields.emplace_back(kind, index); }
   std::size_t size() const { return fFields.size(); }
   const Field &operator[](std::size_t i) const { return fFields[i]; }
   auto begin() const { return fFields.begin(); }
   auto end() const { return fFields.end(); }
};

} // namespace fields
