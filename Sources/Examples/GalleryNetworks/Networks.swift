import ArgumentParser

/// The programs of this part, in the order of the gallery.
package let galleryNetworks: [any ParsableCommand.Type] = []
