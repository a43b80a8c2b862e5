/// The format of MNIST and its relatives: a type, the sizes, the data, all big-endian.
public enum IDXFile {
  /// The tensor of a file, compressed with gzip or not: uint8 as it is, int32, float32 and float64; int16 becomes int32,
  /// int8 too.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - limit: Bytes that it may have decompressed; more throw `unsupported`.
  /// - Throws: What is wrong with the file; offsets are those of the decompressed bytes where it decompresses.
  public static func read(path: String, limit: Int = 1 << 30) throws(FileError) -> Tensor {
    try read(Inflation.decompressed(FileBytes(path: path), limit: limit))
  }

  /// The tensor of a file's bytes, likewise.
  public static func read(bytes: [UInt8], limit: Int = 1 << 30) throws(FileError) -> Tensor {
    try read(Inflation.decompressed(FileBytes(bytes), limit: limit))
  }

  private static func read(_ file: FileBytes) throws(FileError) -> Tensor {
    let magic = try file.integer(UInt32.self, at: 0, "the type").byteSwapped
    if magic >> 16 != 0 { throw file.error(.malformed, at: 0, "an IDX file begins with two zeros") }
    let rank = Int(magic & 0xFF)
    if rank > 8 { throw file.error(.unsupported, at: 3, "it has \(rank) dimensions, but a tensor has up to 8") }
    var shape: [Int] = []
    for i in 0..<rank {
      shape.append(Int(try file.integer(UInt32.self, at: 4 + 4 * i, "a size").byteSwapped))
    }
    let start = 4 + 4 * rank
    switch magic >> 8 {
    case 0x08: return try file.tensor(.uint8, shape, at: start, "the data")
    case 0x09: return try numbers(file, .int32, shape, start, Int8.self) { Int32($0) }
    case 0x0B: return try numbers(file, .int32, shape, start, Int16.self) { Int32($0) }
    case 0x0C: return try numbers(file, .int32, shape, start, Int32.self) { $0 }
    case 0x0D: return try numbers(file, .float32, shape, start, UInt32.self) { Float(bitPattern: $0) }
    case 0x0E: return try numbers(file, .float64, shape, start, UInt64.self) { Double(bitPattern: $0) }
    default: throw file.error(.malformed, at: 2, "there is no type \(magic >> 8)")
    }
  }

  private static func numbers<Stored: FixedWidthInteger & BitwiseCopyable, Scalar: TensorScalar>(
    _ file: FileBytes, _ dtype: DataType, _ shape: [Int], _ start: Int, _: Stored.Type, _ convert: (Stored) -> Scalar
  ) throws(FileError) -> Tensor {
    let count = try file.elementBytes(dtype, shape, at: 4, "the data") / dtype.size
    try file.require(start, count * MemoryLayout<Stored>.size, "the data")
    let tensor = Tensor(uninitialized: shape, dtype)
    let target = tensor.result.assumingMemoryBound(to: Scalar.self)
    for i in 0..<count {
      let stored = file.bytes.loadUnaligned(fromByteOffset: start + i * MemoryLayout<Stored>.size, as: Stored.self)
      target[i] = convert(Stored(bigEndian: stored))
    }
    withExtendedLifetime(tensor) {}
    return tensor
  }
}
