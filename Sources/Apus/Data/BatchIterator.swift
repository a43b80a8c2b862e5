import Dispatch
import Synchronization

/// The batches of an epoch in their order; see ``DataLoader/batches(epoch:from:)``.
///
/// One batch after the other is prepared by a queue of its own; taking one starts the preparation of further ones, so that no
/// thread ever waits for room.
public final class BatchIterator {
  private let loader: DataLoader
  private let epoch: Int
  private let order: [Int]
  /// The batch that is prepared next.
  private var following: Int
  private var pending: [PendingBatch] = []
  private let queue: DispatchQueue?
  private let isAbandoned = Flag()

  init(_ loader: DataLoader, epoch: Int, first: Int) {
    self.loader = loader
    self.epoch = epoch
    order = loader.order(epoch: epoch)
    following = first
    queue = loader.prefetchedBatches > 0 ? DispatchQueue(label: "apus.loader") : nil
    prepare()
  }

  /// Batches that nobody will take are not prepared any more.
  deinit { isAbandoned.isSet.store(true, ordering: .relaxed) }

  /// The next batch; nil at the end of the epoch. Throws what the data set throws.
  public func next() throws -> Batch? {
    guard queue != nil else {
      if following >= loader.batchCount { return nil }
      defer { following += 1 }
      return try loader.batch(following, epoch: epoch, order: order)
    }
    if pending.isEmpty { return nil }
    let batch = pending.removeFirst()
    prepare()
    return try batch.wait()
  }

  /// Half of the batches are prepared at a time: a thread that is woken for each would disturb the computation more often.
  private func prepare() {
    guard let queue, pending.count <= loader.prefetchedBatches / 2, following < loader.batchCount else { return }
    let end = following + min(loader.prefetchedBatches - pending.count, loader.batchCount - following)
    let batches = (following..<end).map { (number: $0, batch: PendingBatch()) }
    following = end
    pending += batches.map(\.batch)
    queue.async { [loader, epoch, order, isAbandoned] in
      for (number, batch) in batches {
        if isAbandoned.isSet.load(ordering: .relaxed) { return }
        batch.fulfil(Result { try loader.batch(number, epoch: epoch, order: order) })
      }
    }
  }
}

private final class Flag: Sendable {
  let isSet = Atomic<Bool>(false)
}

/// A batch that another thread prepares.
private final class PendingBatch: Sendable {
  private let result = Mutex<Result<Batch, any Error>?>(nil)
  private let isReady = DispatchSemaphore(value: 0)

  func fulfil(_ value: Result<Batch, any Error>) {
    result.withLock { $0 = value }
    isReady.signal()
  }

  /// May be called once.
  func wait() throws -> Batch {
    isReady.wait()
    guard let value = result.withLock({ $0.take() }) else { fatalError("a batch was taken twice") }
    return try value.get()
  }
}
