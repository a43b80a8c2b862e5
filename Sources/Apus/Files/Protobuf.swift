/// Writes messages of Protocol Buffers: fields by their numbers, each a type and a value.
struct ProtobufWriter {
  private(set) var bytes: [UInt8] = []

  private mutating func varint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  private mutating func key(_ field: Int, _ wireType: Int) { varint(UInt64(field << 3 | wireType)) }

  private mutating func fixed<I: FixedWidthInteger>(_ value: I) {
    withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
  }

  mutating func integer(_ field: Int, _ value: Int) {
    key(field, 0)
    varint(UInt64(bitPattern: Int64(value)))
  }

  mutating func double(_ field: Int, _ value: Double) {
    key(field, 1)
    fixed(value.bitPattern)
  }

  mutating func float(_ field: Int, _ value: Float) {
    key(field, 5)
    fixed(value.bitPattern)
  }

  mutating func data(_ field: Int, _ value: [UInt8]) {
    key(field, 2)
    varint(UInt64(value.count))
    bytes += value
  }

  mutating func string(_ field: Int, _ value: String) { data(field, Array(value.utf8)) }

  mutating func message(_ field: Int, _ build: (inout ProtobufWriter) -> Void) {
    var inner = ProtobufWriter()
    build(&inner)
    data(field, inner.bytes)
  }

  /// Doubles one after the other.
  mutating func packed(_ field: Int, _ values: [Double]) {
    var inner = ProtobufWriter()
    for value in values { inner.fixed(value.bitPattern) }
    data(field, inner.bytes)
  }
}

/// Reads messages of Protocol Buffers from a stretch of a file.
struct ProtobufReader {
  enum Value {
    case varint(UInt64)
    case fixed64(UInt64)
    case fixed32(UInt32)
    /// A string, a message or packed numbers, by their place in the file.
    case data(Range<Int>)
  }

  private let file: FileBytes
  private var place: Int
  private let end: Int

  init(_ file: FileBytes, _ range: Range<Int>) {
    self.file = file
    place = range.lowerBound
    end = range.upperBound
  }

  /// The next field; nil at the end.
  mutating func next() throws(FileError) -> (field: Int, value: Value)? {
    if place == end { return nil }
    let start = place
    let key = try varint()
    let field = Int(truncatingIfNeeded: key >> 3)
    switch key & 7 {
    case 0: return (field, .varint(try varint()))
    case 1:
      try require(8)
      defer { place += 8 }
      return (field, .fixed64(try file.integer(UInt64.self, at: place, "a number")))
    case 5:
      try require(4)
      defer { place += 4 }
      return (field, .fixed32(try file.integer(UInt32.self, at: place, "a number")))
    case 2:
      let count = try varint()
      if count > UInt64(end - place) { throw file.error(.truncated, at: place, "a field ends behind its message") }
      defer { place += Int(count) }
      return (field, .data(place..<place + Int(count)))
    default: throw file.error(.malformed, at: start, "a field has the type \(key & 7)")
    }
  }

  private func require(_ count: Int) throws(FileError) {
    if end - place < count { throw file.error(.truncated, at: place, "a field ends behind its message") }
  }

  private mutating func varint() throws(FileError) -> UInt64 {
    var value: UInt64 = 0
    var shift = 0
    let start = place
    while true {
      try require(1)
      let byte = file.bytes[place]
      place += 1
      if shift > 63 { throw file.error(.malformed, at: start, "a number has more than 64 bits") }
      value |= UInt64(byte & 0x7F) << UInt64(shift)
      if byte < 0x80 { return value }
      shift += 7
    }
  }
}
