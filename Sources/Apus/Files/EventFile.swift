/// What an event file says at a step.
public struct LoggedEvent: Sendable, Equatable {
  /// Seconds since 1970.
  public var wallTime: Double = 0
  /// The step.
  public var step: Int = 0
  /// "brain.Event:2" in the first event of a file, nil in others.
  public var fileVersion: String?
  /// Numbers by their tags.
  public var scalars: [String: Float] = [:]
  /// Distributions by their tags.
  public var histograms: [String: LoggedHistogram] = [:]
}

/// How elements were distributed.
public struct LoggedHistogram: Sendable, Equatable {
  /// The least element.
  public var least = 0.0
  /// The largest one.
  public var largest = 0.0
  /// How many there were.
  public var count = 0.0
  /// Their sum.
  public var sum = 0.0
  /// The sum of their squares.
  public var sumOfSquares = 0.0
  /// The upper end of each bucket.
  public var limits: [Double] = []
  /// Elements of each bucket.
  public var counts: [Double] = []
}

/// Reads event files, as ``EventFileWriter`` writes them. Values that are kept as tensors, as newer programs do, are passed over.
public enum EventFile {
  /// The events of a file in their order.
  ///
  /// - Throws: What is wrong: a checksum, a length, a field that is cut. A file that is still being written may end within a
  ///   record, which throws `truncated`.
  public static func read(path: String) throws(FileError) -> [LoggedEvent] { try read(FileBytes(path: path)) }

  /// The events of a file's bytes.
  public static func read(bytes: [UInt8]) throws(FileError) -> [LoggedEvent] { try read(FileBytes(bytes)) }

  private static func read(_ file: FileBytes) throws(FileError) -> [LoggedEvent] {
    var events: [LoggedEvent] = []
    var place = 0
    while place < file.bytes.count {
      let length = try file.integer(UInt64.self, at: place, "the length of a record")
      try compare(file, place..<place + 8)
      if length > UInt64(file.bytes.count) {
        throw file.error(.truncated, at: place, "a record takes \(length) bytes, but the file has \(file.bytes.count)")
      }
      let start = place + 12
      let end = start + Int(length)
      try file.require(start, Int(length) + 4, "a record")
      try compare(file, start..<end)
      events.append(try event(file, start..<end))
      place = end + 4
    }
    return events
  }

  /// Compares the checksum behind a range, which is all there, with the range's.
  private static func compare(_ file: FileBytes, _ range: Range<Int>) throws(FileError) {
    let checksum = try file.integer(UInt32.self, at: range.upperBound, "a checksum")
    if CRC32C.masked(file.bytes[range]) != checksum {
      throw file.error(.malformed, at: range.lowerBound, "a checksum is wrong")
    }
  }

  private static func event(_ file: FileBytes, _ range: Range<Int>) throws(FileError) -> LoggedEvent {
    var event = LoggedEvent()
    var fields = ProtobufReader(file, range)
    while let (field, value) = try fields.next() {
      switch (field, value) {
      case (1, .fixed64(let bits)): event.wallTime = Double(bitPattern: bits)
      case (2, .varint(let step)): event.step = Int(truncatingIfNeeded: step)
      case (3, .data(let text)): event.fileVersion = string(file, text)
      case (5, .data(let summary)):
        var values = ProtobufReader(file, summary)
        while let (field, value) = try values.next() {
          if case (1, .data(let range)) = (field, value) { try read(file, range, into: &event) }
        }
      default: continue
      }
    }
    return event
  }

  /// A value of a summary.
  private static func read(_ file: FileBytes, _ range: Range<Int>, into event: inout LoggedEvent) throws(FileError) {
    var tag = ""
    var scalar: Float?
    var histogram: LoggedHistogram?
    var fields = ProtobufReader(file, range)
    while let (field, value) = try fields.next() {
      switch (field, value) {
      case (1, .data(let text)): tag = string(file, text)
      case (2, .fixed32(let bits)): scalar = Float(bitPattern: bits)
      case (5, .data(let range)): histogram = try Self.histogram(file, range)
      default: continue
      }
    }
    if let scalar { event.scalars[tag] = scalar }
    if let histogram { event.histograms[tag] = histogram }
  }

  private static func histogram(_ file: FileBytes, _ range: Range<Int>) throws(FileError) -> LoggedHistogram {
    var histogram = LoggedHistogram()
    var fields = ProtobufReader(file, range)
    while let (field, value) = try fields.next() {
      switch (field, value) {
      case (1, .fixed64(let bits)): histogram.least = Double(bitPattern: bits)
      case (2, .fixed64(let bits)): histogram.largest = Double(bitPattern: bits)
      case (3, .fixed64(let bits)): histogram.count = Double(bitPattern: bits)
      case (4, .fixed64(let bits)): histogram.sum = Double(bitPattern: bits)
      case (5, .fixed64(let bits)): histogram.sumOfSquares = Double(bitPattern: bits)
      case (6, .data(let range)): histogram.limits += try doubles(file, range)
      case (6, .fixed64(let bits)): histogram.limits.append(Double(bitPattern: bits))
      case (7, .data(let range)): histogram.counts += try doubles(file, range)
      case (7, .fixed64(let bits)): histogram.counts.append(Double(bitPattern: bits))
      default: continue
      }
    }
    return histogram
  }

  private static func doubles(_ file: FileBytes, _ range: Range<Int>) throws(FileError) -> [Double] {
    if range.count % 8 != 0 {
      throw file.error(.malformed, at: range.lowerBound, "packed numbers of 8 bytes take \(range.count) bytes")
    }
    var values: [Double] = []
    for place in stride(from: range.lowerBound, to: range.upperBound, by: 8) {
      values.append(Double(bitPattern: try file.integer(UInt64.self, at: place, "a number")))
    }
    return values
  }

  private static func string(_ file: FileBytes, _ range: Range<Int>) -> String {
    String(decoding: file.bytes[range], as: UTF8.self)
  }
}
