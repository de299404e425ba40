// What of an event, and of its scores, a row or a histogram has.
#pragma once

#include "graph/recorded.hxx"
#include "graph/scores.hxx"

#include <cstddef>
#include <stdexcept>
#include <string>

namespace fields {

// One number of an event, by its name: see graph::Rows.
class Field {
   enum Kind { kValue, kLabel, kFold, kScore, kRank, kFlag, kVotes, kEnsemble, kFlagged } fKind;
   std::size_t fIndex = 0;

   static Kind kind_of(const std::string &name)
   {
      const char *names[] = {"value", "label", "fold", "score", "rank", "flag", "votes", "ensemble", "flagged"};
      for (int kind = kValue; kind <= kFlagged; ++kind)
         if (name == names[kind])
            return static_cast<Kind>(kind);
      throw std::invalid_argument("no field of an event is called " + name);
   }

public:
   explicit Field(const std::string &name) : fKind(kind_of(name.substr(0, name.find(':'))))
   {
      if (const auto colon = name.find(':'); colon != std::string::npos)
         fIndex = std::stoul(name.substr(colon + 1));
   }

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
      default: return scores.flagged;
      }
   }
};

} // namespace fields
