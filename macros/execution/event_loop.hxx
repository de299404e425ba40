// An event loop that runs in a thread of its own, so that the thread that started it can show progress and stop it.
//
// RDataFrame does not react to Ctrl-C. Here every event passes tick(), which counts it and throws once the loop is to
// stop; RDataFrame then unwinds cleanly, with and without implicit multi-threading.
#pragma once

#include "sources/read_errors.hxx"

#include <ROOT/RResultHandle.hxx>
#include <ROOT/RDFHelpers.hxx>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace event_loop {

class EventLoop {
   using Clock = std::chrono::steady_clock;
   struct alignas(64) Slot { // one cache line each: slots do not slow each other down
      std::atomic<unsigned long long> events{0};
   };
   std::vector<Slot> fSlots;
   std::atomic<bool> fStopping{false};
   std::atomic<bool> fFinished{false};
   std::atomic<Clock::rep> fFirstEvent{0};
   Clock::time_point fStarted;
   Clock::time_point fEnded;
   std::exception_ptr fError;
   std::thread fThread;

public:
   explicit EventLoop(std::size_t slots) : fSlots(slots) {}
   EventLoop(const EventLoop &) = delete;
   EventLoop &operator=(const EventLoop &) = delete;
   ~EventLoop() { end(); }

   // Count an event; to be called once for each, as the first filter of the graph. Always true.
   bool tick(unsigned int slot)
   {
      if (fStopping.load(std::memory_order_relaxed))
         throw std::runtime_error("the event loop was interrupted");
      auto &events = fSlots[slot].events;
      const auto before = events.load(std::memory_order_relaxed);
      if (before == 0) {
         Clock::rep never = 0;
         fFirstEvent.compare_exchange_strong(never, Clock::now().time_since_epoch().count());
      }
      events.store(before + 1, std::memory_order_relaxed);
      return true;
   }

   // Start to run all booked results, of one or several graphs, in one go.
   void start(const std::vector<ROOT::RDF::RResultHandle> &results)
   {
      fStarted = Clock::now();
      fThread = std::thread([this, results] {
         try {
            const read_errors::Sentry sentry;
            ROOT::RDF::RunGraphs(results);
         } catch (...) {
            fError = std::current_exception();
         }
         fEnded = Clock::now();
         fFinished = true;
      });
   }

   // Wait at most this long for the end. True once the loop has ended; throws what ended it, if something did.
   bool wait(unsigned int milliseconds)
   {
      const auto until = Clock::now() + std::chrono::milliseconds(milliseconds);
      while (!fFinished && Clock::now() < until)
         std::this_thread::sleep_for(std::chrono::milliseconds(2));
      if (!fFinished)
         return false;
      join();
      if (fError)
         std::rethrow_exception(std::exchange(fError, nullptr));
      return true;
   }

   void join()
   {
      if (fThread.joinable())
         fThread.join();
   }

   // End the loop if it was started here; one that somebody else runs is left alone.
   void end()
   {
      if (!fThread.joinable())
         return;
      stop();
      fThread.join();
   }

   // Ask the loop to end at the next event.
   void stop() { fStopping = true; }

   unsigned long long events() const
   {
      unsigned long long sum = 0;
      for (const auto &slot : fSlots)
         sum += slot.events.load(std::memory_order_relaxed);
      return sum;
   }

   // Seconds from the start to the first event: just-in-time compilation and opening of files.
   double seconds_before_first_event() const
   {
      const auto first = fFirstEvent.load();
      return first ? seconds(Clock::time_point(Clock::duration(first)) - fStarted) : 0.;
   }
   // Seconds from the start to the end, once wait() has returned true.
   double seconds_in_all() const { return seconds(fEnded - fStarted); }

private:
   static double seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }
};

} // namespace event_loop
