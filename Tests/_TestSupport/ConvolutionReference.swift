import ApusEngine

/// A sum of products, in some precision.
private protocol ReferenceSum {
  init()
  mutating func add(_ a: Double, _ b: Double)
  var parts: (high: Double, low: Double) { get }
}

extension WideSum: ReferenceSum {}

/// Of float32 numbers: products are exact in a double, and a sum of them is 2^29 times as exact as what is tested.
private struct PlainSum: ReferenceSum {
  private var sum = 0.0
  @inline(__always) mutating func add(_ a: Double, _ b: Double) { sum += a * b }
  var parts: (high: Double, low: Double) { (sum, 0) }
}

/// What a sum of products should be, as an unevaluated sum of two doubles, and the sum of the products' magnitudes.
struct ReferenceProduct {
  var high = 0.0
  var low = 0.0
  var magnitude = 0.0
}

/// Plain loops over the plain convolution behind a problem: its big side (x; of a transposed convolution, y) and its small
/// side, whose positions are the window's. Written from the header's formula, not from the engine's geometry.
///
/// Arrays are in the order (sample, channel, position), weights in the order (small channel, big channel of the group, tap).
/// A position in the padding is a zero that is multiplied, so that 0 * infinity is NaN there as well, or passed over.
struct ConvolutionReference {
  let batch: Int
  let groups: Int
  let bigChannels: Int
  let smallChannels: Int
  let bigPositions: Int
  let smallPositions: Int
  let taps: Int
  private let isExact: Bool
  private let multipliesPadding: Bool
  /// [small position][tap]: the big position, or -1 in the padding.
  private let towardsBig: [Int]
  /// [big position][tap]: the small position, -1 where there would be one outside, -2 where the stride steps over it.
  private let towardsSmall: [Int]

  init(_ d: ConvolutionDescriptor, output: Extents, multipliesPadding: Bool = true) {
    self.multipliesPadding = multipliesPadding
    batch = d.batch
    groups = d.groups
    bigChannels = d.isTransposed ? d.outputChannels : d.inputChannels
    smallChannels = d.isTransposed ? d.inputChannels : d.outputChannels
    let big = d.isTransposed ? output : d.window.input
    let small = d.isTransposed ? d.window.input : output
    bigPositions = big.product
    smallPositions = small.product
    taps = d.window.window.product
    isExact = d.dataType == .float32
    let w = d.window
    towardsBig = Self.table(small, w.window, big) { i, position, tap in
      position * w.stride[i] - w.padBefore[i] + tap * w.dilation[i]
    }
    towardsSmall = Self.table(big, w.window, small) { i, position, tap in
      let way = position + w.padBefore[i] - tap * w.dilation[i]
      return way % w.stride[i] == 0 ? way / w.stride[i] : nil
    }
  }

  /// For each position and tap where it leads: `way` of each dimension together, -1 outside, -2 where one is nil.
  private static func table(
    _ positions: Extents, _ taps: Extents, _ there: Extents, _ way: (Int, Int, Int) -> Int?
  ) -> [Int] {
    let ways = (0..<3).map { i in
      (0..<positions[i]).map { position in
        (0..<taps[i]).map { tap in
          guard let at = way(i, position, tap) else { return -2 }
          return at < 0 || at >= there[i] ? -1 : at
        }
      }
    }
    let (height, width) = (there.height, there.width)
    var table: [Int] = []
    table.reserveCapacity(positions.product * taps.product)
    for depths in ways[0] {
      for heights in ways[1] {
        for widths in ways[2] {
          for d in depths {
            for h in heights {
              for w in widths {
                let worst = min(d, h, w)
                table.append(worst < 0 ? worst : (d * height + h) * width + w)
              }
            }
          }
        }
      }
    }
    return table
  }

  /// The small side from the big one: what a plain convolution does forward.
  func gatherSmall(_ big: [Double], _ weights: [Double]) -> [ReferenceProduct] {
    isExact ? gatherSmall(PlainSum.self, big, weights) : gatherSmall(WideSum.self, big, weights)
  }
  /// The big side from the small one: what a plain convolution does backward by data.
  func gatherBig(_ small: [Double], _ weights: [Double]) -> [ReferenceProduct] {
    isExact ? gatherBig(PlainSum.self, small, weights) : gatherBig(WideSum.self, small, weights)
  }
  /// The weights' gradient.
  func gradient(_ big: [Double], _ small: [Double]) -> [ReferenceProduct] {
    isExact ? gradient(PlainSum.self, big, small) : gradient(WideSum.self, big, small)
  }

  private var bigPerGroup: Int { bigChannels / groups }
  private var smallPerGroup: Int { smallChannels / groups }

  private func gatherSmall<S: ReferenceSum>(_: S.Type, _ big: [Double], _ weights: [Double]) -> [ReferenceProduct] {
    var result: [ReferenceProduct] = []
    result.reserveCapacity(batch * smallChannels * smallPositions)
    for n in 0..<batch {
      for k in 0..<smallChannels {
        for position in 0..<smallPositions {
          var sum = S()
          var magnitude = 0.0
          for c in 0..<bigPerGroup {
            let plane = (n * bigChannels + k / smallPerGroup * bigPerGroup + c) * bigPositions
            for tap in 0..<taps {
              let at = towardsBig[position * taps + tap]
              if at < 0 && !multipliesPadding { continue }
              let x = at < 0 ? 0 : big[plane + at]
              let w = weights[(k * bigPerGroup + c) * taps + tap]
              sum.add(x, w)
              magnitude += abs(x * w)
            }
          }
          result.append(ReferenceProduct(high: sum.parts.high, low: sum.parts.low, magnitude: magnitude))
        }
      }
    }
    return result
  }

  private func gatherBig<S: ReferenceSum>(_: S.Type, _ small: [Double], _ weights: [Double]) -> [ReferenceProduct] {
    var result: [ReferenceProduct] = []
    result.reserveCapacity(batch * bigChannels * bigPositions)
    for n in 0..<batch {
      for c in 0..<bigChannels {
        let group = c / bigPerGroup
        for position in 0..<bigPositions {
          var sum = S()
          var magnitude = 0.0
          for k in group * smallPerGroup..<(group + 1) * smallPerGroup {
            let plane = (n * smallChannels + k) * smallPositions
            for tap in 0..<taps {
              let at = towardsSmall[position * taps + tap]
              if at == -2 || (at < 0 && !multipliesPadding) { continue }
              let y = at < 0 ? 0 : small[plane + at]
              let w = weights[(k * bigPerGroup + c % bigPerGroup) * taps + tap]
              sum.add(y, w)
              magnitude += abs(y * w)
            }
          }
          result.append(ReferenceProduct(high: sum.parts.high, low: sum.parts.low, magnitude: magnitude))
        }
      }
    }
    return result
  }

  private func gradient<S: ReferenceSum>(_: S.Type, _ big: [Double], _ small: [Double]) -> [ReferenceProduct] {
    var result: [ReferenceProduct] = []
    result.reserveCapacity(smallChannels * bigPerGroup * taps)
    for k in 0..<smallChannels {
      for c in 0..<bigPerGroup {
        for tap in 0..<taps {
          var sum = S()
          var magnitude = 0.0
          for n in 0..<batch {
            let plane = (n * bigChannels + k / smallPerGroup * bigPerGroup + c) * bigPositions
            let line = (n * smallChannels + k) * smallPositions
            for position in 0..<smallPositions {
              let at = towardsBig[position * taps + tap]
              if at < 0 && !multipliesPadding { continue }
              let x = at < 0 ? 0 : big[plane + at]
              sum.add(x, small[line + position])
              magnitude += abs(x * small[line + position])
            }
          }
          result.append(ReferenceProduct(high: sum.parts.high, low: sum.parts.low, magnitude: magnitude))
        }
      }
    }
    return result
  }
}
