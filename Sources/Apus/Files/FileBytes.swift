#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The system's write, which a method of this name would hide.
private func systemWrite(_ file: Int32, _ memory: UnsafeRawPointer, _ count: Int) -> Int { write(file, memory, count) }

/// A file's bytes, mapped into memory and read only; or bytes of an array.
final class FileBytes {
  let path: String
  let bytes: UnsafeRawBufferPointer
  private let isMapped: Bool

  /// Maps a file.
  init(path: String) throws(FileError) {
    self.path = path
    let file = open(path, O_RDONLY | O_CLOEXEC)
    if file < 0 { throw Self.systemError(path, "it cannot be opened") }
    defer { close(file) }
    var status = stat()
    if fstat(file, &status) != 0 { throw Self.systemError(path, "its size cannot be read") }
    if status.st_mode & S_IFMT != S_IFREG {
      throw FileError(code: .system, path: path, offset: nil, message: "it is no regular file")
    }
    let size = Int(status.st_size)
    if size == 0 {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      isMapped = false
      return
    }
    guard let memory = mmap(nil, size, PROT_READ, MAP_PRIVATE, file, 0), memory != MAP_FAILED else {
      throw Self.systemError(path, "it cannot be mapped into memory")
    }
    bytes = UnsafeRawBufferPointer(start: memory, count: size)
    isMapped = true
  }

  /// A copy of an array's bytes.
  convenience init(_ array: [UInt8]) {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: array.count, alignment: 8)
    copy.copyBytes(from: array)
    self.init(owning: UnsafeRawBufferPointer(copy), path: "bytes")
  }

  /// A copy of bytes, under a name.
  convenience init(_ bytes: UnsafeRawBufferPointer, path: String) {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 8)
    copy.copyMemory(from: bytes)
    self.init(owning: UnsafeRawBufferPointer(copy), path: path)
  }

  /// Memory that this owns from now on, under a name.
  init(owning bytes: UnsafeRawBufferPointer, path: String) {
    self.path = path
    self.bytes = bytes
    isMapped = false
  }

  deinit {
    if isMapped, let start = bytes.baseAddress {
      munmap(UnsafeMutableRawPointer(mutating: start), bytes.count)
    } else {
      bytes.deallocate()
    }
  }

  /// Whether there is something of this name.
  static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  func error(_ code: FileError.Code, at offset: Int?, _ message: String) -> FileError {
    FileError(code: code, path: path, offset: offset, message: message)
  }

  /// Throws where a range of bytes is not all there.
  func require(_ offset: Int, _ count: Int, _ what: String) throws(FileError) {
    let (end, overflow) = offset.addingReportingOverflow(count)
    if offset < 0 || count < 0 || overflow || end > bytes.count {
      throw error(
        .truncated, at: min(max(0, offset), bytes.count),
        "\(what) takes \(count) bytes, but the file has \(bytes.count)")
    }
  }

  /// An integer of any alignment.
  func integer<I: FixedWidthInteger & BitwiseCopyable>(_: I.Type, at offset: Int, _ what: String) throws(FileError) -> I
  {
    try require(offset, MemoryLayout<I>.size, what)
    return I(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: I.self))
  }

  /// The bytes of a tensor of a shape; they must all be there before anything is allocated.
  func tensor(_ dtype: DataType, _ shape: [Int], at offset: Int, _ what: String) throws(FileError) -> Tensor {
    let count = try elementBytes(dtype, shape, at: offset, what)
    try require(offset, count, what)
    let tensor = Tensor(uninitialized: shape, dtype)
    if count > 0, let start = bytes.baseAddress {
      tensor.result.copyMemory(from: start + offset, byteCount: count)
      if dtype == .bool {
        // Swift's booleans are 0 or 1, whatever a file says.
        let flags = tensor.result.assumingMemoryBound(to: UInt8.self)
        for i in 0..<count where flags[i] > 1 { flags[i] = 1 }
      }
    }
    return tensor
  }

  /// The size of a tensor in bytes.
  func elementBytes(_ dtype: DataType, _ shape: [Int], at offset: Int, _ what: String) throws(FileError) -> Int {
    if shape.count > 8 {
      throw error(.unsupported, at: offset, "\(what) has \(shape.count) dimensions, but a tensor has up to 8")
    }
    var count = dtype.size
    var reach = dtype.size
    for size in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: size)
      let (own, tooFar) = reach.multipliedReportingOverflow(by: max(1, size))
      if size < 0 || overflow || tooFar || own >= 1 << 60 {
        throw error(.malformed, at: offset, "\(what) has the shape \(shape), which no memory holds")
      }
      count = product
      reach = own
    }
    return count
  }

  static func systemError(_ path: String, _ what: String) -> FileError {
    FileError(code: .system, path: path, offset: nil, message: "\(what): \(String(cString: strerror(errno)))")
  }

  /// A new file beside the one that it will take the place of. Its name is its own, so that writers of one file never meet.
  private static func openNeighbour(of path: String) throws(FileError) -> (path: String, file: Int32) {
    var status = stat()
    if stat(path, &status) == 0 && status.st_mode & S_IFMT != S_IFREG {
      throw FileError(
        code: .system, path: path, offset: nil, message: "it is no regular file, which another could replace")
    }
    let neighbour = "\(path).\(getpid()).\(UInt64.random(in: 0...UInt64.max)).part"
    let file = open(neighbour, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    if file < 0 { throw systemError(path, "it cannot be written") }
    return (neighbour, file)
  }

  /// Throws where ``write(_:to:)`` would: asked before work whose result would be lost.
  static func checkWritable(_ path: String) throws(FileError) {
    let (neighbour, file) = try openNeighbour(of: path)
    close(file)
    unlink(neighbour)
  }

  /// Writes a file as a whole or not at all: into a neighbour that then takes its name.
  static func write(_ parts: [FilePart], to path: String) throws(FileError) {
    let (temporary, file) = try openNeighbour(of: path)
    func fail(_ what: String) -> FileError {
      let error = systemError(path, what)
      close(file)
      unlink(temporary)
      return error
    }
    for part in parts {
      if !part.withBytes({ writeAll($0, to: file) }) { throw fail("it cannot be written") }
    }
    if fsync(file) != 0 { throw fail("it cannot be written") }
    close(file)
    if rename(temporary, path) != 0 {
      let error = systemError(path, "it cannot be renamed to")
      unlink(temporary)
      throw error
    }
  }
}

/// Writes all of the bytes; false, with `errno`, where the system refuses.
func writeAll(_ bytes: UnsafeRawBufferPointer, to file: Int32) -> Bool {
  guard let start = bytes.baseAddress else { return true }
  var done = 0
  while done < bytes.count {
    let written = systemWrite(file, start + done, bytes.count - done)
    if written < 0 && errno == EINTR { continue }
    if written <= 0 { return false }
    done += written
  }
  return true
}

/// What files are written from.
enum FilePart {
  case bytes([UInt8])
  /// The elements of a dense tensor.
  case tensor(Tensor)

  var count: Int {
    switch self {
    case .bytes(let bytes): bytes.count
    case .tensor(let tensor): tensor.count * tensor.dtype.size
    }
  }

  func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    switch self {
    case .bytes(let bytes): return bytes.withUnsafeBytes(body)
    case .tensor(let tensor):
      defer { withExtendedLifetime(tensor) {} }
      return body(UnsafeRawBufferPointer(start: tensor.base, count: count))
    }
  }
}
