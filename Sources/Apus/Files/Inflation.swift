internal import CZlib

/// DEFLATE (RFC 1951), bare or within gzip (RFC 1952), by zlib.
enum Inflation {
  enum Format {
    /// Members of gzip, one after the other; zlib compares their checksums.
    case gzip
    /// A stream without a header, as zip has it.
    case bare
  }

  /// Whether a file begins as gzip does.
  static func isGzip(_ file: FileBytes) -> Bool {
    file.bytes.count >= 2 && file.bytes[0] == 0x1F && file.bytes[1] == 0x8B
  }

  /// A file, decompressed where it begins as gzip does.
  static func decompressed(_ file: FileBytes, limit: Int) throws(FileError) -> FileBytes {
    if !isGzip(file) { return file }
    return try inflate(file, 0..<file.bytes.count, .gzip, limit: limit, path: file.path + " (decompressed)")
  }

  /// The decompressed bytes of a range, under a name for messages. Memory grows with what the data really hold.
  static func inflate(
    _ file: FileBytes, _ range: Range<Int>, _ format: Format, limit: Int, path: String
  ) throws(FileError) -> FileBytes {
    var stream = z_stream()
    let window: Int32 = format == .gzip ? 15 + 16 : -15
    if inflateInit2_(&stream, window, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) != Z_OK {
      throw file.error(.system, at: range.lowerBound, "zlib cannot begin")
    }
    defer { inflateEnd(&stream) }
    // A byte more than allowed: only a stream that fills it is too long, one that ends exactly at the limit is not.
    let bound = max(1, limit == .max ? limit : limit + 1)
    let output = GrowingBytes(capacity: min(bound, max(4096, min(4 * range.count, 1 << 24))))
    var place = range.lowerBound
    while true {
      if output.count == output.capacity { output.grow(to: min(bound, output.capacity * 2)) }
      // zlib counts in 32 bits.
      let given = min(range.upperBound - place, 1 << 30)
      let room = min(output.capacity - output.count, 1 << 30)
      // zlib reads through this pointer only, though its type would let it write.
      let start = file.bytes.baseAddress.map { UnsafeMutableRawPointer(mutating: $0 + place) }
      stream.next_in = start?.assumingMemoryBound(to: UInt8.self)
      stream.avail_in = UInt32(given)
      stream.next_out = (output.memory + output.count).assumingMemoryBound(to: UInt8.self)
      stream.avail_out = UInt32(room)
      let code = CZlib.inflate(&stream, Z_NO_FLUSH)
      let taken = given - Int(stream.avail_in)
      let made = room - Int(stream.avail_out)
      place += taken
      output.count += made
      if output.count > limit {
        throw file.error(.unsupported, at: place, "its data decompress to more than \(limit) bytes")
      }
      switch code {
      case Z_STREAM_END:
        if format == .gzip && place < range.upperBound {
          // Another member, or what fills the file up.
          if file.bytes[place..<range.upperBound].allSatisfy({ $0 == 0 }) { return output.file(path) }
          inflateReset(&stream)
          continue
        }
        return output.file(path)
      case Z_OK where taken > 0 || made > 0: continue
      case Z_OK, Z_BUF_ERROR:
        throw file.error(.truncated, at: place, "the compressed data end before their end")
      case Z_MEM_ERROR: throw file.error(.system, at: place, "zlib finds no memory")
      default:
        let reason = stream.msg.map { String(cString: $0) } ?? "no such data"
        throw file.error(.malformed, at: place, "the compressed data are damaged: \(reason)")
      }
    }
  }

  /// Bytes as a bare stream.
  static func deflate(_ bytes: UnsafeRawBufferPointer, path: String) throws(FileError) -> [UInt8] {
    var stream = z_stream()
    let begin = deflateInit2_(
      &stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
      Int32(MemoryLayout<z_stream>.size))
    let failure = FileError(code: .system, path: path, offset: nil, message: "zlib cannot compress it")
    if begin != Z_OK { throw failure }
    defer { deflateEnd(&stream) }
    var result: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    var place = 0
    while true {
      let given = min(bytes.count - place, 1 << 30)
      let start = bytes.baseAddress.map { UnsafeMutableRawPointer(mutating: $0 + place) }
      stream.next_in = start?.assumingMemoryBound(to: UInt8.self)
      stream.avail_in = UInt32(given)
      let isLast = place + given == bytes.count
      let code = chunk.withUnsafeMutableBufferPointer { chunk in
        stream.next_out = chunk.baseAddress
        stream.avail_out = UInt32(chunk.count)
        return CZlib.deflate(&stream, isLast ? Z_FINISH : Z_NO_FLUSH)
      }
      place += given - Int(stream.avail_in)
      result += chunk[..<(chunk.count - Int(stream.avail_out))]
      if code == Z_STREAM_END { return result }
      if code != Z_OK && code != Z_BUF_ERROR { throw failure }
    }
  }

  /// The checksum of zip and gzip.
  static func crc32(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    // nil asks zlib for the first value, which is that of no bytes.
    guard let start = bytes.baseAddress else { return 0 }
    return UInt32(crc32_z(0, start.assumingMemoryBound(to: UInt8.self), bytes.count))
  }
}

/// Bytes of which more and more are known.
private final class GrowingBytes {
  private(set) var memory: UnsafeMutableRawPointer
  private(set) var capacity: Int
  var count = 0
  private var isOwner = true

  init(capacity: Int) {
    memory = .allocate(byteCount: capacity, alignment: 8)
    self.capacity = capacity
  }

  func grow(to size: Int) {
    let larger = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 8)
    larger.copyMemory(from: memory, byteCount: count)
    memory.deallocate()
    memory = larger
    capacity = size
  }

  /// The bytes as a file, which has the memory from now on.
  func file(_ path: String) -> FileBytes {
    isOwner = false
    return FileBytes(owning: UnsafeRawBufferPointer(start: memory, count: count), path: path)
  }

  deinit { if isOwner { memory.deallocate() } }
}
