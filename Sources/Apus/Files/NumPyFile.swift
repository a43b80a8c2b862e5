/// NumPy's .npy: a tensor with a text before it that says what it is.
public enum NumPyFile {
  /// The tensor of a file. Types: float32, float64, int32, int64, uint8, bool, little-endian, in C's or Fortran's order.
  public static func read(path: String) throws(FileError) -> Tensor { try read(FileBytes(path: path)) }

  /// The tensor of a file's bytes.
  public static func read(bytes: [UInt8]) throws(FileError) -> Tensor { try read(FileBytes(bytes)) }

  private static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
  private static let types: [(name: String, type: DataType)] = [
    ("<f4", .float32), ("<f8", .float64), ("<i4", .int32), ("<i8", .int64), ("|u1", .uint8), ("|b1", .bool),
  ]

  static func read(_ file: FileBytes) throws(FileError) -> Tensor {
    try file.require(0, 8, "the beginning")
    if !file.bytes.prefix(6).elementsEqual(magic) {
      throw file.error(.malformed, at: 0, "a .npy file begins with \\x93NUMPY")
    }
    let version = file.bytes[6]
    if !(1...3).contains(version) { throw file.error(.unsupported, at: 6, "it has version \(version) of the format") }
    let first = version == 1 ? 10 : 12
    let length: Int
    if version == 1 {
      length = Int(try file.integer(UInt16.self, at: 8, "the length of the header"))
    } else {
      length = Int(try file.integer(UInt32.self, at: 8, "the length of the header"))
    }
    try file.require(first, length, "the header")
    let text = String(decoding: file.bytes[first..<first + length], as: UTF8.self)
    guard let name = quoted(after: "'descr':", in: text), let shape = tuple(after: "'shape':", in: text) else {
      throw file.error(.malformed, at: first, "the header takes 'descr' and 'shape', but is \(text.prefix(100))")
    }
    guard let dtype = types.first(where: { $0.name == name })?.type else {
      throw file.error(.unsupported, at: first, "it has the type \(name.prefix(20))")
    }
    let isFortran = rest(after: "'fortran_order':", in: text)?.hasPrefix("True") ?? false
    let tensor = try file.tensor(dtype, isFortran ? shape.reversed() : shape, at: first + length, "the data")
    return isFortran ? tensor.permuted(Array(tensor.shape.indices.reversed())) : tensor
  }

  private static func rest(after key: String, in text: String) -> Substring? {
    var place = text.startIndex
    while place < text.endIndex {
      if text[place...].hasPrefix(key) { return text[place...].dropFirst(key.count).drop { $0 == " " } }
      place = text.index(after: place)
    }
    return nil
  }

  private static func quoted(after key: String, in text: String) -> String? {
    guard let rest = rest(after: key, in: text), rest.first == "'" else { return nil }
    return String(rest.dropFirst().prefix { $0 != "'" })
  }

  private static func tuple(after key: String, in text: String) -> [Int]? {
    guard let rest = rest(after: key, in: text), rest.first == "(", rest.contains(")") else { return nil }
    var sizes: [Int] = []
    for part in rest.dropFirst().prefix(while: { $0 != ")" }).split(separator: ",") {
      guard let size = Int(part.drop { $0 == " " }), size >= 0 else { return nil }
      sizes.append(size)
    }
    return sizes
  }

  /// Writes a file as a whole or not at all.
  public static func write(_ tensor: Tensor, to path: String) throws(FileError) {
    let dense = tensor.detached().contiguous()
    try FileBytes.write([.bytes(header(of: dense)), .tensor(dense)], to: path)
  }

  /// What stands before the elements of a dense tensor.
  static func header(of dense: Tensor) -> [UInt8] {
    let type = types.first { $0.type == dense.dtype }?.name ?? ""
    let sizes = dense.shape.map { "\($0)" }.joined(separator: ", ") + (dense.rank == 1 ? "," : "")
    var header = Array("{'descr': '\(type)', 'fortran_order': False, 'shape': (\(sizes)), }".utf8)
    while (header.count + 11) % 64 != 0 { header.append(32) }
    header.append(10)
    let length = withUnsafeBytes(of: UInt16(header.count).littleEndian) { Array($0) }
    return magic + [1, 0] + length + header
  }
}
