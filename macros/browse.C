// Browse what a run or an evaluation left, in a TBrowser:
//
//    root --web=off 'macros/browse.C("output/cms2010b")'
//
// A double click on a directory opens it, on a histogram or a graph draws it. Without X, `python -m plotting page` makes
// a page for a web browser of the same. All that follows is a matter of taste: change it as you like.

#include <TAxis.h>
#include <TBrowser.h>
#include <TCanvas.h>
#include <TClass.h>
#include <TColor.h>
#include <TDirectory.h>
#include <TError.h>
#include <TExec.h>
#include <TFile.h>
#include <TGFileBrowser.h>
#include <TGListTree.h>
#include <TGraph.h>
#include <TH1.h>
#include <TKey.h>
#include <TQObject.h>
#include <TROOT.h>
#include <TRootBrowser.h>
#include <TStyle.h>
#include <TSystem.h>

#include <initializer_list>

namespace browsing {

// Colours that histograms are drawn with, for a ROOT that does not have them yet (before 6.34).
void define_colours()
{
   const struct {
      int number, rgb;
   } colours[] = {{117, 0x3f90da}, {120, 0x94a4a2}, {123, 0xe76300}};
   for (const auto &colour : colours)
      if (!gROOT->GetColor(colour.number))
         new TColor(colour.number, (colour.rgb >> 16) / 255.f, (colour.rgb >> 8 & 255) / 255.f, (colour.rgb & 255) / 255.f);
}

void set_style()
{
   define_colours();
   gStyle->SetPalette(kViridis);
   gStyle->SetNumberContours(100);
   gStyle->SetPaintTextFormat("g");
   // A margin on the right that holds the statistics of a spectrum and the palette of a plane: neither covers anything.
   gStyle->SetPadRightMargin(0.22);
   gStyle->SetPadLeftMargin(0.15);
   gStyle->SetPadBottomMargin(0.14);
   gStyle->SetPadTopMargin(0.1);
   gStyle->SetOptStat("emruo"); // entries, mean, standard deviation, what is below and above the axis
   gStyle->SetStatX(0.99);
   gStyle->SetStatY(0.9);
   gStyle->SetStatW(0.2);
   gStyle->SetStatH(0.2);
   gStyle->SetStatBorderSize(1);
   gStyle->SetStatFont(42);
   gStyle->SetTitleFontSize(0.045);
   gStyle->SetTitleBorderSize(0);
   gStyle->SetTitleFillColor(0);
   gStyle->SetTitleX(0.5);
   gStyle->SetTitleAlign(23);
   gStyle->SetPadTickX(1);
   gStyle->SetPadTickY(1);
   gStyle->SetEndErrorSize(0);
}

const TObject *dressed = nullptr; // what the pad's axes have been chosen for

// Numbers of events, and sums over them, span orders of magnitude; unless there are hardly any.
bool is_logarithmic(const TH1 &histogram)
{
   const TAxis &axis = histogram.GetDimension() == 1 ? *histogram.GetYaxis() : *histogram.GetZaxis();
   const TString title = axis.GetTitle(), option = histogram.GetOption();
   if ((title != "events" && title != "sum of products") || option.Contains("TEXT"))
      return false;
   return histogram.GetMaximum() > 20 * histogram.GetMinimum(0) && histogram.GetMinimum() >= 0;
}

void dress(TVirtualPad &pad, TH1 &histogram)
{
   const bool logarithmic = is_logarithmic(histogram), flat = histogram.GetDimension() == 1;
   pad.SetLogy(logarithmic && flat);
   pad.SetLogz(logarithmic && !flat);
   if (flat && !logarithmic && histogram.GetMinimum() >= 0)
      histogram.SetMinimum(0);
   // Numbers in the bins are black, and to be read on any colour.
   gStyle->SetPalette(TString(histogram.GetOption()).Contains("TEXT") ? kMint : kViridis);
}

// The file to browse: that of a run, or that of an evaluation.
TString results_in(const TString &folder)
{
   for (const char *name : {"histograms.root", "curves.root"})
      if (const TString path = folder + "/" + name; !gSystem->AccessPathName(path))
         return path;
   return "";
}

// Show the directories of the file, as a double click on it does.
void open_tree(const TBrowser &browser)
{
   auto *window = dynamic_cast<TRootBrowser *>(browser.GetBrowserImp());
   auto *files = window ? dynamic_cast<TGFileBrowser *>(window->GetActBrowser()) : nullptr;
   if (!files || !files->GetListTree()->GetFirstItem())
      return;
   files->DoubleClicked(files->GetListTree()->GetFirstItem(), 1);
   files->GetListTree()->OpenItem(files->GetListTree()->GetFirstItem());
}

// Draw the first plane of a run, or the first curve of an evaluation, or the feature of a run that has a single one.
void draw_first(TFile &file)
{
   for (const char *place : {"planes", "roc", "features"})
      if (auto *directory = file.GetDirectory(place))
         for (auto *key : *directory->GetListOfKeys())
            if (auto *object = static_cast<TKey *>(key)->ReadObj(); !object->InheritsFrom(TDirectory::Class())) {
               object->Draw();
               gPad->Update();
               return;
            }
}

} // namespace browsing

// A pad calls this before it paints: the axes are to suit what has been drawn in it. What you choose by hand stays as it
// is until something else is drawn.
void dress_pad()
{
   for (auto *drawn : *gPad->GetListOfPrimitives()) {
      auto *histogram = dynamic_cast<TH1 *>(drawn);
      if (!histogram && !drawn->InheritsFrom(TGraph::Class()))
         continue;
      if (drawn == browsing::dressed)
         return;
      browsing::dressed = drawn;
      gPad->SetLogx(false);
      gPad->SetLogy(false);
      if (histogram)
         browsing::dress(*gPad, *histogram);
      return;
   }
}

// ROOT calls this when the pad has been cleared for something new: dress_pad() is to come first in it.
void prepare_pad(TVirtualPad *pad)
{
   browsing::dressed = nullptr;
   auto *first = new TExec("dress", "dress_pad()");
   first->SetBit(kCanDelete);
   pad->GetListOfPrimitives()->Add(first);
}

void browse(const char *folder = ".")
{
   const TString path = browsing::results_in(folder);
   if (path.IsNull()) {
      ::Error("browse", "%s has no histograms.root or curves.root; name the output folder of a run or an evaluation",
              folder);
      return;
   }
   auto *file = TFile::Open(path);
   if (!file || file->IsZombie() || file->TestBit(TFile::kRecovered)) {
      ::Error("browse", "%s is truncated or damaged; repeat the run that wrote it", path.Data());
      return;
   }
   browsing::set_style();
   auto *browser = new TBrowser("browser", file, path, 1200, 760); // ROOT keeps it in a list
   if (!gPad)
      return; // no window: ROOT has said why
   TQObject::Connect(gPad->GetCanvas(), "Cleared(TVirtualPad*)", nullptr, nullptr, "prepare_pad(TVirtualPad*)");
   browsing::open_tree(*browser);
   browsing::draw_first(*file);
}
