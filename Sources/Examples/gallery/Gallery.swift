import ArgumentParser
import GalleryNetworks
import GallerySequences

@main struct Gallery: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gallery", abstract: "The networks of a deep-learning course, each trained by one command.",
    discussion: "Each prints its last figure beside the one that it must reach, and ends with 1 where it does not.",
    subcommands: galleryNetworks + gallerySequences)
}
