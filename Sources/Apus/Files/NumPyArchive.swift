/// NumPy's .npz: a zip archive of .npy files.
///
///     let arrays = try NumPyArchive(path: "data.npz").tensors
public struct NumPyArchive: Sendable {
  /// The tensors by name, without ".npy".
  public var tensors: [String: Tensor]

  /// Tensors, to be written.
  public init(tensors: [String: Tensor]) { self.tensors = tensors }

  /// Reads a file, stored or deflated, as `numpy.savez` and `numpy.savez_compressed` write it.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - limit: Bytes that all tensors may have together; more throw `unsupported`.
  /// - Throws: What is wrong with the file, with the byte; within an entry, that of its decompressed bytes.
  public init(path: String, limit: Int = 1 << 30) throws(FileError) {
    try self.init(FileBytes(path: path), limit: limit)
  }

  /// Reads a file's bytes, likewise.
  public init(bytes: [UInt8], limit: Int = 1 << 30) throws(FileError) { try self.init(FileBytes(bytes), limit: limit) }

  private init(_ file: FileBytes, limit: Int) throws(FileError) {
    tensors = [:]
    let archive = try ZipArchive(file)
    var left = limit
    for entry in archive.entries {
      let name = entry.name.hasSuffix(".npy") ? String(entry.name.dropLast(4)) : entry.name
      // Entries may overlap: what they hold together is counted, not what the file holds.
      let bytes = try archive.bytes(entry, limit: left)
      left -= bytes.bytes.count
      if tensors.updateValue(try NumPyFile.read(bytes), forKey: name) != nil {
        throw file.error(.malformed, at: entry.place, "it has \(name) twice")
      }
    }
  }

  /// Writes a file as a whole or not at all, names in alphabetical order.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - isCompressed: Whether the tensors are deflated.
  /// - Throws: `system` where the system refuses; `unsupported` from 4 GiB on.
  public func write(to path: String, isCompressed: Bool = false) throws(FileError) {
    var parts: [FilePart] = []
    var directory: [UInt8] = []
    var offset = 0
    for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
      let dense = tensor.detached().contiguous()
      let header = NumPyFile.header(of: dense)
      let whole = header + FilePart.tensor(dense).withBytes { Array($0) }
      let checksum = whole.withUnsafeBytes { Inflation.crc32($0) }
      var data = whole
      if isCompressed {
        var packed: Swift.Result<[UInt8], FileError> = .success([])
        whole.withUnsafeBytes { bytes in
          packed = Swift.Result { () throws(FileError) in try Inflation.deflate(bytes, path: path) }
        }
        data = try packed.get()
      }
      let fileName = Array((name + ".npy").utf8)
      if offset + data.count + whole.count > 0xFFFF_FFFE || fileName.count > 0xFFFF || tensors.count > 0xFFFE {
        throw FileError(
          code: .unsupported, path: path, offset: offset, message: "\(name) is too large for a zip file of 32 bits")
      }
      // What the local header and the directory have in common: version, flags (names are UTF-8), method, no time,
      // checksum, sizes, length of the name, no further fields.
      let common =
        Self.little(20, 2) + Self.little(0x800, 2) + Self.little(isCompressed ? 8 : 0, 2) + Self.little(0x0021_0000, 4)
        + Self.little(Int(checksum), 4) + Self.little(data.count, 4) + Self.little(whole.count, 4)
        + Self.little(fileName.count, 2) + Self.little(0, 2)
      directory +=
        Self.little(0x0201_4B50, 4) + Self.little(20, 2) + common + Self.little(0, 10) + Self.little(offset, 4)
        + fileName
      let local = Self.little(0x0403_4B50, 4) + common + fileName
      parts += [.bytes(local), .bytes(data)]
      offset += local.count + data.count
    }
    let end =
      Self.little(0x0605_4B50, 4) + Self.little(0, 4) + Self.little(tensors.count, 2) + Self.little(tensors.count, 2)
      + Self.little(directory.count, 4) + Self.little(offset, 4) + Self.little(0, 2)
    try FileBytes.write(parts + [.bytes(directory + end)], to: path)
  }

  /// A number in so many bytes, the lowest first.
  private static func little(_ value: Int, _ count: Int) -> [UInt8] {
    (0..<count).map { $0 < 8 ? UInt8(truncatingIfNeeded: value >> (8 * $0)) : 0 }
  }
}
