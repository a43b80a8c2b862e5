import ArgumentParser

/// The programs of this part, in the order of the gallery.
package var galleryNetworks: [any ParsableCommand.Type] {
  [
    DescentExample.self, ActivationsExample.self, ConvolutionExample.self, FeaturesExample.self, NiNExample.self,
    GoogLeNetExample.self, ArchitecturesExample.self, SeriesExample.self,
  ]
}
