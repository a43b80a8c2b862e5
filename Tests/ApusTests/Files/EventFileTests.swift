import Testing

@testable import Apus

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

@Suite struct EventFileTests {
  @Test func checksumsAreCastagnolis() {
    #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xE306_9283)
    #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
    #expect(CRC32C.checksum([UInt8](repeating: 255, count: 32)) == 0x62A8_AB43)
  }

  /// A folder with one file, and what is in it.
  private static func written() throws -> (directory: String, path: String) {
    let directory = temporaryPath("runs-\(UInt64.random(in: 0...UInt64.max))/first")
    let events = try EventFileWriter(directory: directory)
    try events.write(step: 3, scalars: [("loss", 0.5), ("rate", -2)])
    try events.write(step: 1_000_000, scalars: [("loss", 0.25)])
    try events.write(
      step: 4, histograms: [("weights", Tensor([-1, 0, 0.5, 2, .nan] as [Float])), ("none", Tensor([] as [Float]))])
    return (directory, events.path)
  }

  private static func remove(_ written: (directory: String, path: String)) {
    unlink(written.path)
    rmdir(written.directory)
    rmdir(String(written.directory.dropLast("/first".count)))
  }

  @Test func eventsComeBack() throws {
    let written = try Self.written()
    defer { Self.remove(written) }
    let events = try EventFile.read(path: written.path)
    #expect(events.count == 4)
    #expect(events[0].fileVersion == "brain.Event:2")
    #expect(events[0].wallTime > 1.7e9)
    #expect(events[1].step == 3)
    #expect(events[1].scalars == ["loss": 0.5, "rate": -2])
    #expect(events[2].step == 1_000_000)
    let histogram = try #require(events[3].histograms["weights"])
    #expect(histogram.least == -1)
    #expect(histogram.largest == 2)
    #expect(histogram.count == 4)
    #expect(histogram.sum == 1.5)
    #expect(histogram.sumOfSquares == 5.25)
    #expect(histogram.counts.reduce(0, +) == 4)
    #expect(zip(histogram.limits, histogram.limits.dropFirst()).allSatisfy { $0 < $1 })
    // Each element is below the limit of its bucket, and not below that of the one before.
    for x in [-1, 0, 0.5, 2] {
      let place = try #require(histogram.limits.firstIndex { $0 > x })
      #expect(histogram.counts[place] >= 1)
    }
    #expect(events[3].histograms["none"]?.count == 0)
  }

  @Test func damagedFilesThrow() throws {
    let written = try Self.written()
    defer { Self.remove(written) }
    let whole = try bytes(of: written.path)
    // A file that ends between two records is whole.
    let refused = try damage(whole, allowsCut: true) { bytes throws(FileError) in _ = try EventFile.read(bytes: bytes) }
    #expect(refused > 3900)
  }

  @Test func messagesMayHoldAnything() throws {
    // Behind right checksums.
    var state: UInt64 = 7
    for length in 0..<300 {
      let message = (0..<length % 60).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        // Small numbers are field keys and lengths more often.
        return UInt8(truncatingIfNeeded: state >> 40) & (state >> 50 & 1 == 0 ? 0x3F : 0xFF)
      }
      let size = withUnsafeBytes(of: UInt64(message.count).littleEndian) { Array($0) }
      func checksum(_ bytes: [UInt8]) -> [UInt8] {
        withUnsafeBytes(of: CRC32C.masked(bytes).littleEndian) { Array($0) }
      }
      do throws(FileError) {
        _ = try EventFile.read(bytes: size + checksum(size) + message + checksum(message))
      } catch {
        #expect(error.code != .system)
      }
    }
  }

  @Test func tensorBoardReadsThem() throws {
    let written = try Self.written()
    defer { Self.remove(written) }
    // nil where the package is not installed.
    let said = python(
      """
      from tensorboard.backend.event_processing.event_accumulator import EventAccumulator as E
      e = E('\(written.directory)', size_guidance={'scalars': 0, 'histograms': 0}); e.Reload()
      t = e.Tags()
      h = e.Histograms('weights')[0] if 'weights' in t['histograms'] else None
      print(sorted(t['scalars']), [(s.step, s.value) for s in e.Scalars('loss')], h.step, h.histogram_value.num)
      """)
    if let said { #expect(said == "['loss', 'rate'] [(3, 0.5), (1000000, 0.25)] 4 4.0\n") }
  }

  @Test func foldersThatCannotBeMadeThrow() {
    #expect(throws: FileError.self) { try EventFileWriter(directory: "/proc/nothing/here") }
  }
}
