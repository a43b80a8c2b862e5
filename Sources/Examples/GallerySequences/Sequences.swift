import ArgumentParser

/// The programs of this part, in the order of the gallery: the four shapes of recurrence, gradients through time, speech.
package var gallerySequences: [any ParsableCommand.Type] {
  [
    Classify.self, Tagging.self, Frames.self, Captions.self, Generate.self, Dates.self, Gradients.self, Recall.self,
    Speech.self,
  ]
}
