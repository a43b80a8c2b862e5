import ArgumentParser

/// The programs of this part, in the order of the gallery.
package var galleryNetworks: [any ParsableCommand.Type] { [NiNExample.self, GoogLeNetExample.self] }
