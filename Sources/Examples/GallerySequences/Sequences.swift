import ArgumentParser

/// The programs of this part, in the order of the gallery.
package let gallerySequences: [any ParsableCommand.Type] = []
