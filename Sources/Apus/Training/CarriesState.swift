/// A model that goes on from what it has seen, such as a recurrent one over a long text: each batch begins with the state
/// that the last one ended with, off the tape (truncated backpropagation through time).
///
/// A ``Trainer`` whose model is one resets it where an epoch begins, keeps it aside while it evaluates, and saves it in
/// checkpoints; of modules within another one it knows nothing.
public protocol CarriesState: Module {
  /// What is carried, by name; empty after a reset.
  var carriedState: [String: Tensor] { get set }
}
