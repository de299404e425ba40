// The nodes of the graph, as Python sees them; what they do is in graph_events.cxx, graph_columns.cxx and graph_scores.cxx.
//
// These are compiled once, by the system's compiler. Built from strings, Cling would compile them anew at every start.
#pragma once

#include "graph/fields.hxx"
#include "graph/recorded.hxx"
#include "physics/certified_runs.hxx"
#include "scoring/ensemble.hxx"
#include "execution/stopwatch.hxx"

#include <ROOT/RDataFrame.hxx>
#include <ROOT/RResultHandle.hxx>
#include <TH1.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace graph {

using Names = std::vector<std::string>;
using Results = std::vector<ROOT::RDF::RResultHandle>;
using fields::Fields;
using ROOT::RDF::RNode;
using ROOT::RDF::RResultHandle;

using recorded::kEvent;

// Column with an event's scores.
constexpr const char *kScores = "recorded_scores";

// Head of a graph over trees.
RNode open(const std::string &tree, const Names &files);

// Throw where the header of a basket of a TTree's columns is damaged, and say which; see baskets.hxx.
void check_baskets(const std::string &file, const std::string &tree, const Names &columns);

// Number the entries of a sample: define `column` of them, see entry_numbers.hxx.
RNode number_entries(RNode head, const Names &files, const std::vector<unsigned long long> &first,
                     const std::string &column);

// Define columns, all of which are computed at once of the columns `read`; make: address of the recorded::MakeComputation
// of the function that does it. names: of its results, in their order. there: those of them that a file has already.
// stopwatch: may be null.
RNode define_columns(RNode events, std::uintptr_t make, const Names &read, const Names &names, const Names &there,
                     stopwatch::Stopwatch *stopwatch);

// Define a scale, 1 and varied by relative sizes in two directions.
RNode vary_scale(RNode events, const std::string &column, double up, double down, const Names &directions,
                 const std::string &variation);

// An event loop that runs in a thread of its own, so that the thread that started it can show progress and stop it.
//
// RDataFrame does not react to Ctrl-C. Here every event passes a filter that counts it and throws once the loop is to
// stop; RDataFrame then unwinds cleanly, with and without implicit multi-threading.
class EventLoop {
   struct State;
   std::shared_ptr<State> fState; // the graph's filter has it too

public:
   explicit EventLoop(unsigned int slots);
   EventLoop(const EventLoop &) = delete;
   EventLoop &operator=(const EventLoop &) = delete;
   ~EventLoop();
   // The graph's first filter, called `name`, which every event passes.
   RNode begin(RNode head, const std::string &name);
   // The same for the entries in a half-open range; an RDataFrame counts them in 32 bits.
   RNode begin_range(RNode head, const std::string &name, unsigned int first, unsigned int last);
   void start(const Results &results);
   // Wait at most this long for the end. True once the loop has ended; throws what ended it, if something did.
   bool wait(unsigned int milliseconds);
   // Ask the loop to end at the next event.
   void stop();
   unsigned long long events() const;
   // Seconds from the start to the first event: just-in-time compilation and opening of files.
   double seconds_before_first_event() const;
   // Seconds from the start to the end, once wait() has returned true.
   double seconds_in_all() const;
   // What the stages took, over all slots.
   double seconds_of(std::size_t stage) const;
   stopwatch::Stopwatch *get_stopwatch() const;
};

// The number of cuts and of events that passed each, once the loop has ended.
class Cutflow {
   ROOT::RDF::RResultPtr<ROOT::RDF::RCutFlowReport> fReport;

public:
   explicit Cutflow(RNode events);
   RResultHandle booked() const;
   Names names() const;
   std::vector<unsigned long long> passed() const;
};

// Keep events whose luminosity block is certified; `section` is the column of run and block.
RNode select_certified(RNode events, const certified_runs::CertifiedRuns &list, const std::string &section,
                       const std::string &name);

// Keep events that passed the cuts before this one, and this one: cuts are counted from 0. Reads the column of the number
// of cuts that an event passed one after the other.
RNode select_passed(RNode events, unsigned int cut, const std::string &passed, const std::string &name);

// Keep events whose first `features` values are all finite, and whose weight is if they are `weighted`.
RNode select_finite(RNode events, unsigned int features, const std::string &name, bool weighted);

// Sums of the weights of the events that come to several nodes, which have the column recorded_weight; exact, see
// exact_sums.hxx. Weights that are not finite are counted, and are no part of a sum.
class WeightSums {
   struct State;
   std::shared_ptr<State> fState;

public:
   explicit WeightSums(unsigned int slots);
   // Nodes are counted from 0.
   RResultHandle add(RNode events);
   // Once the loop has ended: the sum of the weights that came to a node, or of their squares, as a double, and what is
   // to be added to it for the exact sum.
   double sum(std::size_t node, bool squared) const;
   double remainder(std::size_t node, bool squared) const;
   unsigned long long negative(std::size_t node) const;   // events of negative weight
   unsigned long long not_finite(std::size_t node) const; // events whose weight is not finite
};

// How many events each of the first `features` values was not finite in.
class NonFinite {
   std::shared_ptr<std::vector<unsigned long long>> fCounts;
   ROOT::RDF::RResultPtr<std::vector<unsigned long long>> fResult;

public:
   NonFinite(RNode events, unsigned int features, unsigned int slots);
   RResultHandle booked() const;
   std::vector<unsigned long long> counts() const;
};

// Bins in which directions of leading objects are counted.
constexpr unsigned int kEtaBins = 50, kPhiBins = 32;
constexpr float kLargestEta = 5;

// How many scored events each run has, each group of luminosity blocks and each direction, and how many of them the
// ensemble flags.
class Shares {
   struct State;
   std::shared_ptr<State> fState;

public:
   // group: luminosity blocks in a group, counted from 0.
   Shares(RNode events, unsigned int slots, unsigned int group);
   RResultHandle booked() const;
   // Once the loop has ended: number of the run, or of the group, all events, flagged events; ascending.
   std::vector<std::vector<unsigned long long>> runs() const;
   std::vector<std::vector<unsigned long long>> groups() const;
   // All events, then flagged events, in bins of eta from -kLargestEta to kLargestEta, and in each of phi from -pi to pi.
   std::vector<std::vector<unsigned long long>> directions() const;
};

// Rows of an event's ids and fields, collected in memory.
class Rows {
   struct State;
   std::shared_ptr<State> fState;

public:
   // All rows; with the published table's row number before run, luminosityBlock and event if `with_row`.
   static Rows all(unsigned int slots, const Fields &fields, bool with_row);
   // At most `size` rows, drawn at random.
   static Rows sampled(unsigned int slots, const Fields &fields, bool with_row, unsigned long long size,
                       unsigned long long seed);
   // The `size` rows that are greatest in their first `key` fields.
   static Rows top(unsigned int slots, const Fields &fields, unsigned long long size, unsigned int key);
   // The rows' filling by events without scores, and by events with scores.
   RResultHandle book(RNode events);
   RResultHandle book_scored(RNode events);
   // Rows that another object has collected of other events.
   void add(const std::uint64_t *ids, const float *values, unsigned long long size);
   unsigned long long seen() const; // events that there were to collect from
   unsigned long long size() const;
   void copy(std::uint64_t *ids, float *values) const;
};

// The numbers of entries, and fields of their events, collected in memory: of the events that the ensemble flags, or of all.
class Entries {
   struct State;
   std::shared_ptr<State> fState;

public:
   Entries(unsigned int slots, const Fields &fields, bool flagged);
   // entry: column with the number of an entry.
   RResultHandle book(RNode events, const std::string &entry);
   unsigned long long size() const;
   void copy(std::uint64_t *entries, float *values) const;
};

// Write run:luminosityBlock:event of the events of an RNTuple that the ensemble flags, by rising numbers, a line each; or
// run:event, where blocks are not known. Returns the number of lines.
unsigned long long write_picks(const std::string &table, const std::string &events, const std::string &path,
                               bool with_blocks);

// The objects of the `size` events whose `key` fields are the greatest. Objects of other events are not even read.
class TopObjects {
   struct State;
   std::shared_ptr<State> fState;

public:
   TopObjects(unsigned int slots, const Fields &key, unsigned long long size);
   // Of events that have scores and the column recorded_objects.
   RResultHandle book(RNode events);
   // For each of the events, in no order: run, luminosityBlock and event; and the values of the key and then, for each
   // attribute of the objects, how many numbers it has and these.
   std::vector<std::vector<std::uint64_t>> ids() const;
   std::vector<std::vector<float>> values() const;
};

// Define the column kScores, and columns of the fields of it, each with a name.
RNode define_scores(RNode events, const scoring::Ensemble &ensemble, stopwatch::Stopwatch *stopwatch, const Names &columns,
                    const Fields &fields);

// Book the writing of columns to an RNTuple in a file that is there already.
RResultHandle book_snapshot(RNode events, const std::string &table, const std::string &path, const Names &columns);

// Histograms of fields, filled in one go: of all events, of the normal or the anomalous ones, or of events whose label
// is signal or background.
class Histograms {
   struct State;
   std::shared_ptr<State> fState;

public:
   enum Selection { kAll, kNormal, kAnomalous, kSignal, kBackground };

   Histograms();
   // Each returns the number under which the histogram is found when it is filled. The empty histogram that is given is
   // copied. The entries of one field, or of pairs of two. Where events have weights these count, if `weighted`.
   std::size_t add_counts(const TH1 &empty, const Fields &fields, Selection selection, bool weighted = true);
   // The mean of the third field in bins of the first two.
   std::size_t add_means(const TH1 &empty, const Fields &fields, Selection selection);
   // Bin (i, j) of a two-dimensional histogram gets the sum of the products of the fields i and j; `with_one`, the first
   // of them is 1.
   std::size_t add_products(const TH1 &empty, const Fields &fields, bool with_one, Selection selection,
                            bool weighted = true);
   // Of the variations of the graph's scales too, if `varied`. With the events' weights, if `weighted`.
   // `stopwatch` may be null.
   RResultHandle book(RNode events, unsigned int slots, bool varied, stopwatch::Stopwatch *stopwatch,
                      bool weighted = false);
   // Names of the variations that were filled, "nominal" first.
   Names variations() const;
   // A filled histogram, which stays this object's.
   TH1 *filled(const std::string &variation, std::size_t number) const;
   // The low words of the double-double sums of a histogram of real numbers, by which such histograms of parts of a sample
   // add up to what one loop over all of it gives; null for one that counts events.
   TH1 *remainders(const std::string &variation, std::size_t number) const;
};

} // namespace graph
