import Apus
import Testing

@Suite struct DataLoaderTests {
  private static func dataset(_ count: Int) -> TensorDataset {
    TensorDataset(
      inputs: Tensor.range(to: Double(2 * count)).reshaped([count, 2]), targets: Tensor((0..<count).map { Int32($0) }))
  }

  private static func targets(_ batches: BatchIterator) throws -> [[Int32]] {
    var result: [[Int32]] = []
    while let batch = try batches.next() { result.append(batch.targets.array(of: Int32.self)) }
    return result
  }

  @Test func batchesHoldTheirSamples() throws {
    let batches = DataLoader(Self.dataset(7), batchSize: 3).batches()
    let first = try #require(try batches.next())
    #expect(first.inputs == Tensor([0, 1, 2, 3, 4, 5] as [Float], shape: [3, 2]))
    #expect(try Self.targets(batches) == [[3, 4, 5], [6]])
    #expect(try batches.next() == nil)
    let full = DataLoader(Self.dataset(7), batchSize: 3, dropsLast: true)
    #expect(full.batchCount == 2)
    #expect(try Self.targets(full.batches()) == [[0, 1, 2], [3, 4, 5]])
    #expect(try Self.targets(DataLoader(Self.dataset(0), batchSize: 3).batches()) == [])
  }

  @Test func ordersDependOnSeedAndEpoch() throws {
    let loader = DataLoader(Self.dataset(100), batchSize: 10, shuffles: true, seed: 5)
    let first = loader.order(epoch: 0)
    #expect(first.sorted() == Array(0..<100))
    #expect(first != Array(0..<100))
    #expect(first == loader.order(epoch: 0))
    #expect(first != loader.order(epoch: 1))
    #expect(first != DataLoader(Self.dataset(100), batchSize: 10, shuffles: true, seed: 6).order(epoch: 0))
    let batches = try Self.targets(loader.batches(epoch: 3)).flatMap { $0 }
    #expect(batches.map(Int.init) == loader.order(epoch: 3))
  }

  /// Each sample comes to each place about as often: chi squared of 10 x 10 counts, 81 degrees of freedom.
  @Test func ordersAreFair() {
    let loader = DataLoader(Self.dataset(10), batchSize: 1, shuffles: true, seed: 1)
    var counts = [Double](repeating: 0, count: 100)
    for epoch in 0..<2000 {
      for (place, sample) in loader.order(epoch: epoch).enumerated() { counts[place * 10 + sample] += 1 }
    }
    let deviation = counts.reduce(0) { $0 + ($1 - 200) * ($1 - 200) / 200 }
    #expect(deviation < 135, "\(deviation)")
  }

  @Test func anEpochIsContinued() throws {
    let loader = DataLoader(Self.dataset(50), batchSize: 8, shuffles: true, seed: 2)
    let all = try Self.targets(loader.batches(epoch: 1))
    #expect(try Self.targets(loader.batches(epoch: 1, from: 4)) == Array(all[4...]))
    #expect(try Self.targets(loader.batches(epoch: 1, from: 7)) == [])
  }

  /// What a data set draws does not depend on threads or on where the epoch begins.
  @Test func randomTransformsAreTheSame() throws {
    func loader(_ prefetched: Int) -> DataLoader {
      let noisy = TensorDataset(inputs: .zeros([20, 3]), targets: .zeros([20])) { batch in
        batch.inputs = batch.inputs + Tensor.uniform(batch.inputs.shape)
      }
      return DataLoader(noisy, batchSize: 4, seed: 3, prefetchedBatches: prefetched)
    }
    func inputs(_ loader: DataLoader, from first: Int = 0, epoch: Int = 0) throws -> [Tensor] {
      let batches = loader.batches(epoch: epoch, from: first)
      var result: [Tensor] = []
      while let batch = try batches.next() { result.append(batch.inputs) }
      return result
    }
    let plain = try inputs(loader(0))
    #expect(plain == (try inputs(loader(2))))
    #expect(plain == (try inputs(loader(9))))
    #expect(Array(plain[2...]) == (try inputs(loader(1), from: 2)))
    #expect(plain != (try inputs(loader(1), epoch: 1)))
    #expect(plain[0] != plain[1])
  }

  @Test(arguments: [0, 2]) func errorsOfADataSetArrive(_ prefetched: Int) throws {
    struct Broken: Error {}
    struct Failing: Dataset {
      let count = 10
      func batch(_ indices: [Int]) throws -> Batch {
        if indices.contains(5) { throw Broken() }
        return Batch(inputs: Tensor(indices), targets: Tensor(indices))
      }
    }
    let batches = DataLoader(Failing(), batchSize: 2, prefetchedBatches: prefetched).batches()
    #expect(try batches.next()?.inputs == Tensor([0, 1]))
    #expect(try batches.next() != nil)
    #expect(throws: Broken.self) { try batches.next() }
  }

  @Test func subsetsAndBytes() throws {
    let images = TensorDataset(inputs: Tensor([0, 51, 255] as [UInt8]), targets: Tensor([1, 2, 3] as [Int32])) {
      $0.inputs = $0.inputs.converted(to: .float32) / 255
    }
    #expect(images.subset(1..<3).batch([1, 0]).inputs.isClose(to: Tensor([1, 0.2] as [Float])))
  }

  @Test func oneBatchOfAll() throws {
    let data = TensorDataset(inputs: Tensor.range(to: 10).reshaped([10, 1]), targets: Tensor.range(to: 10))
    let loader = DataLoader(data, batchSize: .max, prefetchedBatches: .max)
    #expect(loader.batchCount == 1)
    let batches = loader.batches()
    #expect(try batches.next()?.count == 10)
    #expect(try batches.next() == nil)
  }
}
