/// What a training step takes: inputs of some samples, and what belongs to them.
public struct Batch: Sendable {
  /// What the model is given; by custom the first dimension is the batch.
  public var inputs: Tensor
  /// What the loss compares its output with.
  public var targets: Tensor
  /// Samples in it: the weight of its loss in a mean, and what speeds are counted in.
  public var count: Int

  /// A batch of as many samples as the first dimension of the inputs has, or as said.
  public init(inputs: Tensor, targets: Tensor, count: Int? = nil) {
    self.inputs = inputs
    self.targets = targets
    self.count = count ?? inputs.shape.first ?? 1
  }
}

/// Samples by their numbers.
///
/// A ``DataLoader`` asks for batches on a thread of its own. What a data set draws at random (crops, flips) it takes from
/// ``RandomGenerator/current``, which then depends on seed, epoch and batch alone.
public protocol Dataset: Sendable {
  /// The number of samples.
  var count: Int { get }
  /// The samples of these numbers, each from 0 to `count` - 1, in this order.
  func batch(_ indices: [Int]) throws -> Batch
}

/// Samples in memory: the slices of the first dimension of two tensors.
///
///     let digits = TensorDataset(inputs: images, targets: labels) { batch in
///       batch.inputs = batch.inputs.converted(to: .float32) / 255
///     }
public struct TensorDataset: Dataset {
  /// All inputs.
  public let inputs: Tensor
  /// All targets.
  public let targets: Tensor
  private let transform: (@Sendable (inout Batch) -> Void)?

  /// A data set of two tensors whose first dimensions are the same.
  ///
  /// - Parameters:
  ///   - inputs: Samples x anything.
  ///   - targets: Samples x anything.
  ///   - transform: Changes each batch where it is prepared, such as from bytes to numbers.
  public init(inputs: Tensor, targets: Tensor, transform: (@Sendable (inout Batch) -> Void)? = nil) {
    require(
      inputs.rank > 0 && targets.rank > 0 && inputs.shape[0] == targets.shape[0],
      "TensorDataset: inputs \(inputs.shape) and targets \(targets.shape) take first dimensions of one size")
    self.inputs = inputs.detached().contiguous()
    self.targets = targets.detached().contiguous()
    self.transform = transform
  }

  /// The number of samples.
  public var count: Int { inputs.shape[0] }

  /// The samples of these numbers.
  public func batch(_ indices: [Int]) -> Batch {
    var batch = Batch(
      inputs: Self.slices(of: inputs, indices), targets: Self.slices(of: targets, indices), count: indices.count)
    transform?(&batch)
    return batch
  }

  /// Some of the samples.
  public func subset(_ range: Range<Int>) -> TensorDataset {
    TensorDataset(inputs: inputs[range], targets: targets[range], transform: transform)
  }

  private static func slices(of tensor: Tensor, _ indices: [Int]) -> Tensor {
    let count = tensor.shape[0]
    let result = Tensor(uninitialized: [indices.count] + tensor.shape.dropFirst(), tensor.dtype)
    let size = tensor.shape.dropFirst().reduce(tensor.dtype.size, *)
    for (i, index) in indices.enumerated() {
      require(
        index >= 0 && index < count, "TensorDataset: there are \(count) samples, but number \(index) is asked for")
      (result.result + i * size).copyMemory(from: tensor.base + index * size, byteCount: size)
    }
    withExtendedLifetime((tensor, result)) {}
    return result
  }
}
