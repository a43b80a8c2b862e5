/// Batches of a data set, epoch by epoch, prepared on another thread while the last one is used.
///
///     let loader = DataLoader(dataset, batchSize: 64, shuffles: true, seed: 1)
///     for epoch in 0..<3 {
///       let batches = loader.batches(epoch: epoch)
///       while let batch = try batches.next() { ... }
///     }
///
/// The order of an epoch depends on the seed and the epoch alone, so a run is continued anywhere.
public struct DataLoader: Sendable {
  /// Where samples come from.
  public let dataset: any Dataset
  /// Samples of a batch; the last of an epoch may have fewer.
  public let batchSize: Int
  /// Whether each epoch has an order of its own.
  public let shuffles: Bool
  /// What the orders depend on.
  public let seed: UInt64
  /// Whether a last batch that is not full is left out.
  public let dropsLast: Bool
  /// Batches that are prepared ahead; 0: each where it is asked for, on the caller's thread.
  public let prefetchedBatches: Int

  /// A loader.
  public init(
    _ dataset: any Dataset, batchSize: Int, shuffles: Bool = false, seed: UInt64 = 0, dropsLast: Bool = false,
    prefetchedBatches: Int = 4
  ) {
    require(batchSize > 0, "DataLoader: the batch size is above 0, not \(batchSize)")
    require(prefetchedBatches >= 0, "DataLoader: prefetchedBatches is at least 0, not \(prefetchedBatches)")
    self.dataset = dataset
    self.batchSize = batchSize
    self.shuffles = shuffles
    self.seed = seed
    self.dropsLast = dropsLast
    self.prefetchedBatches = prefetchedBatches
  }

  /// The number of batches of an epoch.
  public var batchCount: Int {
    let (full, rest) = dataset.count.quotientAndRemainder(dividingBy: batchSize)
    return dropsLast || rest == 0 ? full : full + 1
  }

  /// The numbers of all samples in the order of an epoch: from the last place down each is swapped with one at or before it
  /// (R. Fisher, F. Yates; D. Knuth), by numbers epoch count ... (epoch + 1) count of the seed's sequence.
  public func order(epoch: Int) -> [Int] {
    require(epoch >= 0, "DataLoader: epochs are counted from 0, not \(epoch)")
    var order = Array(0..<dataset.count)
    if !shuffles || order.count < 2 { return order }
    let generator = RandomGenerator(seed: seed)
    generator.state.offset = UInt64(epoch) &* UInt64(order.count)
    Tensor.uniform([order.count], dtype: .float64, generator: generator).withElements(Double.self) { numbers in
      for i in stride(from: order.count - 1, to: 0, by: -1) {
        order.swapAt(i, Swift.min(i, Int(numbers[i] * Double(i + 1))))
      }
    }
    return order
  }

  /// The batches of an epoch, both counted from 0, from one on.
  public func batches(epoch: Int = 0, from first: Int = 0) -> BatchIterator {
    require(first >= 0, "DataLoader: batches are counted from 0, not \(first)")
    return BatchIterator(self, epoch: epoch, first: first)
  }

  /// One batch of an order; what the data set draws at random depends on seed, epoch and batch.
  func batch(_ number: Int, epoch: Int, order: [Int]) throws -> Batch {
    let start = number * batchSize
    let generator = RandomGenerator(seed: ~seed)
    generator.state.offset = (UInt64(epoch) &* UInt64(max(1, batchCount)) &+ UInt64(number)) << 32
    return try generator.use { try dataset.batch(Array(order[start..<start + min(batchSize, order.count - start)])) }
  }
}
