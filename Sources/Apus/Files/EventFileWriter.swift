#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif
import Synchronization

/// Writes an event file, from which TensorBoard draws curves and histograms.
///
///     let events = try EventFileWriter(directory: "runs/first")
///     try events.write(step: 10, scalars: [("loss", 0.5)])
///
/// Each record goes to the system at once, so that the curves grow while a run does.
public final class EventFileWriter {
  /// The file.
  public let path: String
  private let file: Int32
  private static let made = Atomic<Int>(0)

  /// A new file in a folder, which is made where there is none. Its name has the time, the host and the process.
  public init(directory: String) throws(FileError) {
    try Self.makeDirectory(directory)
    var host = [CChar](repeating: 0, count: 256)
    gethostname(&host, host.count - 1)
    let name = String(decoding: host.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let seconds = "\(Int(Self.wallTime()))"
    let padded = String(repeating: "0", count: max(0, 10 - seconds.count)) + seconds
    // Two files of one process and second differ in the last number.
    let number = Self.made.wrappingAdd(1, ordering: .relaxed).oldValue
    path = "\(directory)/events.out.tfevents.\(padded).\(name).\(getpid()).\(number)"
    file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    if file < 0 { throw FileBytes.systemError(path, "it cannot be written") }
    try write { $0.string(3, "brain.Event:2") }
  }

  deinit { if file >= 0 { close(file) } }

  /// A record of numbers at a step.
  public func write(step: Int, scalars: [(tag: String, value: Double)]) throws(FileError) {
    try write(step: step, scalars.count) { i, value in
      value.string(1, scalars[i].tag)
      value.float(2, Float(scalars[i].value))
    }
  }

  /// A record of how the elements of tensors are distributed.
  public func write(step: Int, histograms: [(tag: String, tensor: Tensor)]) throws(FileError) {
    try write(step: step, histograms.count) { i, value in
      value.string(1, histograms[i].tag)
      let histogram = Histogram(histograms[i].tensor)
      value.message(5) { message in
        message.double(1, histogram.least)
        message.double(2, histogram.largest)
        message.double(3, histogram.count)
        message.double(4, histogram.sum)
        message.double(5, histogram.sumOfSquares)
        message.packed(6, histogram.limits)
        message.packed(7, histogram.counts)
      }
    }
  }

  private func write(
    step: Int, _ count: Int, _ build: (Int, inout ProtobufWriter) -> Void
  ) throws(FileError) {
    try write { event in
      event.integer(2, step)
      event.message(5) { summary in
        for i in 0..<count { summary.message(1) { build(i, &$0) } }
      }
    }
  }

  /// A record: length, its checksum, data, their checksum.
  private func write(_ build: (inout ProtobufWriter) -> Void) throws(FileError) {
    var event = ProtobufWriter()
    event.double(1, Self.wallTime())
    build(&event)
    let length = withUnsafeBytes(of: UInt64(event.bytes.count).littleEndian) { Array($0) }
    func checksum(_ bytes: [UInt8]) -> [UInt8] {
      withUnsafeBytes(of: CRC32C.masked(bytes).littleEndian) { Array($0) }
    }
    let record = length + checksum(length) + event.bytes + checksum(event.bytes)
    if !record.withUnsafeBytes({ writeAll($0, to: file) }) {
      throw FileBytes.systemError(path, "it cannot be written")
    }
  }

  private static func wallTime() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  private static func makeDirectory(_ path: String) throws(FileError) {
    var place = path.startIndex
    while place < path.endIndex {
      place = path[place...].dropFirst().firstIndex(of: "/") ?? path.endIndex
      if mkdir(String(path[..<place]), 0o755) != 0 && errno != EEXIST && errno != EISDIR {
        throw FileBytes.systemError(path, "the folder cannot be made")
      }
    }
  }
}
