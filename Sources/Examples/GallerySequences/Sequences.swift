import ArgumentParser

/// The programs of this part, in the order of the gallery.
package var gallerySequences: [any ParsableCommand.Type] { [] }
