import ApusKernelInterface
import Testing

/// Pieces that differ by at most one.
@Suite struct GemmSplitTests {
  /// Pieces of an even number for each thread: no longer than the limit, as few as that takes, and never an empty one.
  @Test func evenForThreads() {
    for total in 0...40 {
      for limit in 1...12 {
        let fewest = BalancedSplit(total, atMost: limit).count
        for threads in 1...5 {
          let split = BalancedSplit(total, atMost: limit, threads: threads)
          let lengths = (0..<split.count).map { split.length($0) }
          #expect(lengths.reduce(0, +) == total && !lengths.contains(0))
          #expect(lengths.allSatisfy { $0 <= limit })
          if fewest <= 1 {
            #expect(split.count == fewest)
          } else {
            #expect(split.count == total || split.count.isMultiple(of: threads))
            #expect(split.count < fewest + threads)
          }
        }
      }
    }
  }

  @Test func piecesCoverTheWhole() {
    for total in 0...300 {
      for limit in 1...40 {
        let split = BalancedSplit(total, atMost: limit)
        let lengths = (0..<split.count).map(split.length)
        #expect(lengths.reduce(0, +) == total)
        #expect(split.count == (total + limit - 1) / limit)
        #expect(lengths.allSatisfy { $0 <= limit } && (lengths.first ?? 0) - (lengths.last ?? 0) <= 1)
        #expect(lengths == lengths.sorted(by: >))
        #expect(split.longest == lengths.first ?? 0)
        var start = 0
        for (i, length) in lengths.enumerated() {
          if split.start(i) != start { Issue.record("\(total) by \(limit): piece \(i) starts at \(split.start(i))") }
          start += length
        }
        #expect(split.start(split.count) == total)
      }
    }
  }

  @Test func slicesAreTheSamePieces() {
    for total in [1, 13, 49, 100] {
      for limit in [1, 3, 6, 14, 200] {
        let split = BalancedSplit(total, atMost: limit)
        for first in 0..<split.count {
          for end in first...split.count {
            let slice = split.slice(first..<end)
            #expect(slice.count == end - first)
            for i in 0..<slice.count where slice.length(i) != split.length(first + i) {
              Issue.record("\(total) by \(limit), \(first)..<\(end): piece \(i) is \(slice.length(i))")
            }
            #expect(slice.start(slice.count) == split.start(end) - split.start(first))
          }
        }
      }
    }
  }
}
