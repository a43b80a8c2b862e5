/// Which source positions along one dimension a band keeps: all from the first to the last that some neighbouring results
/// meet or, where taps lie further apart than that, for each tap a piece of its own.
struct BandAxis: Sendable {
  /// Where each piece begins, relative to the lowest position.
  let starts: [Int]
  /// From one position that is kept to the next one of its piece, in the source.
  let step: Int
  /// From one result's positions to the next one's, among those that are kept.
  let stride: Int
  /// Positions of a piece that there is room for.
  let room: Int
  /// Results that there is room for.
  private let results: Int
  /// The piece of each tap; nil where there is one piece for all.
  private let pieces: [Int: Int]?

  /// For `results` neighbours that lie `stride` apart, the taps' positions for the first of them being `taps`: ascending,
  /// from 0. Where `skips`, a piece leaves out what lies between the results' positions.
  init(taps: [Int], stride: Int, results: Int, skips: Bool) {
    let reach = Self.reach(taps, stride, results)
    let piece = Self.piece(stride, results, skips)
    self.results = results
    if taps.count * piece < reach {
      starts = taps
      step = skips ? stride : 1
      self.stride = skips ? 1 : stride
      room = piece
      pieces = Dictionary(uniqueKeysWithValues: taps.enumerated().map { ($1, $0) })
    } else {
      starts = [0]
      step = 1
      self.stride = stride
      room = reach
      pieces = nil
    }
  }

  /// Positions that such an axis keeps.
  static func kept(taps: [Int], stride: Int, results: Int, skips: Bool) -> Int {
    min(taps.count * piece(stride, results, skips), reach(taps, stride, results))
  }
  private static func reach(_ taps: [Int], _ stride: Int, _ results: Int) -> Int {
    (results - 1) * stride + (taps.last ?? 0) + 1
  }
  private static func piece(_ stride: Int, _ results: Int, _ skips: Bool) -> Int {
    skips ? results : (results - 1) * stride + 1
  }

  /// Whether neighbouring taps of one result are no neighbours here.
  var isInPieces: Bool { pieces != nil }
  /// Positions in all.
  var kept: Int { starts.count * room }
  /// Where the position that lies `tap` behind the lowest one is kept, for the first result.
  func place(_ tap: Int) -> Int { pieces.map { $0[tap, default: 0] * room } ?? tap }
  /// Positions of a piece that the first `count` results meet.
  func positions(_ count: Int) -> Int { room - (results - count) * stride }
}
