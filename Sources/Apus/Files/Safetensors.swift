/// Named tensors in one file, the format of Hugging Face's safetensors: an 8-byte length, a JSON header, the data.
///
///     try Safetensors(tensors: model.state).write(to: "model.safetensors")
///     try model.load(Safetensors(path: "model.safetensors").tensors)
///
/// A damaged file throws a ``FileError`` with the byte where the trouble is; nothing is allocated for data that are not there.
public struct Safetensors: Sendable {
  /// The tensors by name.
  public var tensors: [String: Tensor]
  /// Texts of the file's own, "__metadata__".
  public var metadata: [String: String]

  /// Tensors, to be written.
  public init(tensors: [String: Tensor], metadata: [String: String] = [:]) {
    self.tensors = tensors
    self.metadata = metadata
  }

  /// Reads a file by mapping it into memory. Types: F32, F64, I32, I64, U8, BOOL; others throw `unsupported`.
  public init(path: String) throws(FileError) { try self.init(FileBytes(path: path)) }

  /// Reads a file's bytes.
  public init(bytes: [UInt8]) throws(FileError) { try self.init(FileBytes(bytes)) }

  /// Bytes of a header at most, as the format has it.
  private static let longestHeader = 100_000_000

  private init(_ file: FileBytes) throws(FileError) {
    let length = try file.integer(UInt64.self, at: 0, "the length of the header")
    if length > UInt64(Self.longestHeader) {
      throw file.error(.malformed, at: 0, "the header's length is \(length), but it is at most \(Self.longestHeader)")
    }
    let start = 8 + Int(length)
    try file.require(8, Int(length), "the header")
    guard case .object(let members) = try JSONReader.read(file, 8..<start) else {
      throw file.error(.malformed, at: 8, "the header is no JSON object")
    }
    tensors = [:]
    metadata = [:]
    // What the tensors take together: files whose tensors share bytes would take more memory than they have bytes.
    var taken = 0
    for (name, value) in members {
      guard case .object(let fields) = value else {
        throw file.error(.malformed, at: 8, "the header's \(name) is no object")
      }
      if name == "__metadata__" {
        for case (let key, .string(let text)) in fields { metadata[key] = text }
      } else {
        let tensor = try Self.tensor(file, name, fields, data: start)
        taken += tensor.count * tensor.dtype.size
        if taken > file.bytes.count - start { throw file.error(.malformed, at: 8, "the data of tensors overlap") }
        if tensors.updateValue(tensor, forKey: name) != nil {
          throw file.error(.malformed, at: 8, "the header has \(name) twice")
        }
      }
    }
  }

  private static func tensor(
    _ file: FileBytes, _ name: String, _ fields: [(name: String, value: JSONValue)], data: Int
  ) throws(FileError) -> Tensor {
    var dtype: DataType?
    var shape: [Int]?
    var range: [Int]?
    for (key, value) in fields {
      switch (key, value) {
      case ("dtype", .string(let text)):
        dtype = types.first { $0.name == text }?.type
        if dtype == nil { throw file.error(.unsupported, at: 8, "\(name) has the type \(text)") }
      case ("shape", .array(let numbers)): shape = integers(numbers)
      case ("data_offsets", .array(let numbers)): range = integers(numbers)
      default: break
      }
    }
    guard let dtype, let shape, let range, range.count == 2, range[0] <= range[1] else {
      throw file.error(.malformed, at: 8, "\(name) takes dtype, shape and two data_offsets")
    }
    let bytes = try file.elementBytes(dtype, shape, at: 8, name)
    if range[1] - range[0] != bytes {
      throw file.error(
        .malformed, at: 8, "\(name) of shape \(shape) has \(bytes) bytes, but its data_offsets are \(range)")
    }
    return try file.tensor(dtype, shape, at: data + range[0], name)
  }

  /// Whole numbers of at least 0 that fit 53 bits; nil where one is not.
  private static func integers(_ values: [JSONValue]) -> [Int]? {
    var result: [Int] = []
    for value in values {
      guard case .number(let x) = value, x >= 0, x < 0x1p53, x == x.rounded() else { return nil }
      result.append(Int(x))
    }
    return result
  }

  private static let types: [(name: String, type: DataType)] = [
    ("F32", .float32), ("F64", .float64), ("I32", .int32), ("I64", .int64), ("U8", .uint8), ("BOOL", .bool),
  ]

  /// Writes a file as a whole or not at all, names in alphabetical order.
  public func write(to path: String) throws(FileError) {
    if tensors["__metadata__"] != nil {
      throw FileError(
        code: .unsupported, path: path, offset: nil, message: "the format has no tensor of the name __metadata__")
    }
    let ordered = tensors.sorted { $0.key < $1.key }.map { ($0.key, $0.value.detached().contiguous()) }
    var entries: [String] = []
    if !metadata.isEmpty {
      let texts = metadata.sorted { $0.key < $1.key }.map {
        "\(JSONReader.quoted($0.key)):\(JSONReader.quoted($0.value))"
      }
      entries.append("\"__metadata__\":{\(texts.joined(separator: ","))}")
    }
    var offset = 0
    for (name, tensor) in ordered {
      let end = offset + tensor.count * tensor.dtype.size
      let type = Self.types.first { $0.type == tensor.dtype }?.name ?? ""
      let shape = tensor.shape.map { "\($0)" }.joined(separator: ",")
      entries.append(
        "\(JSONReader.quoted(name)):{\"dtype\":\"\(type)\",\"shape\":[\(shape)],\"data_offsets\":[\(offset),\(end)]}")
      offset = end
    }
    var header = Array("{\(entries.joined(separator: ","))}".utf8)
    while header.count % 8 != 0 { header.append(32) }
    let length = withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) }
    try FileBytes.write([.bytes(length + header)] + ordered.map { .tensor($1) }, to: path)
  }
}
