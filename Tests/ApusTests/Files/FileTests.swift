import Testing

@testable import Apus

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

@Suite struct FileTests {
  private static let tensors: [String: Tensor] = [
    "weights": Tensor([1, 2, 3, 4, 5, 6] as [Float], shape: [2, 3]),
    "large \"name\"\n": Tensor([.max, .min, 0] as [Int64]),
    "scalar": Tensor(2.5),
    "flags": Tensor([true, false, true]),
    "bytes": Tensor([1, 200] as [UInt8]),
    "empty": Tensor([] as [Int32]),
  ]

  @Test func safetensorsComeBack() throws {
    let path = temporaryPath("a.safetensors")
    defer { unlink(path) }
    var views = Self.tensors
    views["transposed"] = Self.tensors["weights"]?.transposed()
    try Safetensors(tensors: views, metadata: ["format": "pt"]).write(to: path)
    let read = try Safetensors(path: path)
    #expect(read.tensors == views)
    #expect(read.metadata == ["format": "pt"])
  }

  /// The bytes as the format's description has them.
  @Test func safetensorsAreAsDescribed() throws {
    let header = #"{"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}"#
    let bytes = [UInt8(header.utf8.count), 0, 0, 0, 0, 0, 0, 0] + Array(header.utf8) + [0, 0, 128, 63, 0, 0, 0, 192]
    #expect(try Safetensors(bytes: bytes).tensors["a"] == Tensor([1, -2] as [Float], shape: [1, 2]))
  }

  @Test func modelsComeBackFromFiles() throws {
    let path = temporaryPath("model.safetensors")
    defer { unlink(path) }
    let (a, b) = (
      Sequential {
        Linear(3, 2); BatchNorm(2)
      },
      Sequential {
        Linear(3, 2); BatchNorm(2)
      }
    )
    try Safetensors(tensors: a.state).write(to: path)
    try b.load(Safetensors(path: path).tensors)
    #expect(a.state == b.state)
  }

  @Test func numPyFilesComeBack() throws {
    for (i, tensor) in Self.tensors.values.enumerated() {
      let path = temporaryPath("\(i).npy")
      defer { unlink(path) }
      try NumPyFile.write(tensor, to: path)
      #expect(try NumPyFile.read(path: path) == tensor)
    }
    let text = "{'descr': '<i4', 'fortran_order': True, 'shape': (2, 2), }\n"
    let bytes = [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(text.utf8.count), 0] + Array(text.utf8)
    let data: [UInt8] = [1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0]
    #expect(try NumPyFile.read(bytes: bytes + data).array(of: Int32.self) == [1, 3, 2, 4])
  }

  @Test func idxFiles() throws {
    let images: [UInt8] = [0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 255]
    #expect(try IDXFile.read(bytes: images) == Tensor([1, 2, 3, 4, 5, 255] as [UInt8], shape: [2, 3]))
    let shorts: [UInt8] = [0, 0, 11, 1, 0, 0, 0, 2, 1, 0, 255, 254]
    #expect(try IDXFile.read(bytes: shorts) == Tensor([256, -2] as [Int32]))
    let reals: [UInt8] = [0, 0, 13, 1, 0, 0, 0, 1, 0x3F, 0x80, 0, 0]
    #expect(try IDXFile.read(bytes: reals) == Tensor([1] as [Float]))
  }

  /// Names that share bytes would take more memory than the file has.
  @Test func tensorsThatOverlapAreRefused() throws {
    func file(_ second: String) -> [UInt8] {
      let header = Array(
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":\(second)}}"
          .utf8)
      return withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) } + header + [1, 2, 3, 4, 5, 6, 7, 8]
    }
    #expect(try Safetensors(bytes: file("[4,8]")).tensors.count == 2)
    let shared = Array(file("[0,4]").dropLast(4))
    let error = #expect(throws: FileError.self) { try Safetensors(bytes: shared) }
    #expect(error?.message.contains("overlap") ?? false)
    let named = Safetensors(tensors: ["__metadata__": Tensor.zeros([1])])
    #expect(throws: FileError.self) { try named.write(to: temporaryPath("named.safetensors")) }
  }

  /// Replacing a device or a folder by a file would do harm.
  @Test func onlyRegularFilesAreReplaced() {
    for path in ["/dev/null", "/tmp"] {
      #expect(throws: FileError.self) { try Safetensors(tensors: [:]).write(to: path) }
    }
  }

  @Test func missingFilesThrow() {
    #expect(throws: FileError.self) { try Safetensors(path: "/nonexistent/file") }
    #expect(throws: FileError.self) { try NumPyFile.write(Tensor(1.0), to: "/nonexistent/file") }
    #expect(throws: FileError.self) { try IDXFile.read(path: "/tmp") }
  }

  @Test(arguments: ["safetensors", "npy", "idx"])
  func damagedFilesThrowOrRead(_ format: String) throws {
    let path = temporaryPath("damaged.\(format)")
    defer { unlink(path) }
    var whole: [UInt8]
    switch format {
    case "safetensors":
      try Safetensors(tensors: Self.tensors).write(to: path)
      whole = try bytes(of: path)
    case "npy":
      try NumPyFile.write(Tensor([1.0, 2, 3], shape: [3, 1]), to: path)
      whole = try bytes(of: path)
    default: whole = [0, 0, 14, 2, 0, 0, 0, 1, 0, 0, 0, 2] + [UInt8](repeating: 7, count: 16)
    }
    func read(_ bytes: [UInt8]) throws(FileError) {
      switch format {
      case "safetensors": _ = try Safetensors(bytes: bytes)
      case "npy": _ = try NumPyFile.read(bytes: bytes)
      default: _ = try IDXFile.read(bytes: bytes)
      }
    }
    #expect(try damage(whole, read) > 100)
  }
}
