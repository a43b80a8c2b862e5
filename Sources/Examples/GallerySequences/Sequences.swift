import ArgumentParser

/// The programs of this part, in the order of the gallery.
package var gallerySequences: [any ParsableCommand.Type] {
  [
    Dates.self, Recall.self, Gradients.self, Classify.self, Tagging.self, Frames.self, Captions.self, Generate.self,
    Speech.self,
  ]
}
