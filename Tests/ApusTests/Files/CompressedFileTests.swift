import Testing

@testable import Apus

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

@Suite struct CompressedFileTests {
  /// By Python's gzip: three bytes 7, 8, 9.
  private static let gzip = bytes(hexadecimal: "1f8b08000000000002036360e0606460606066e7e00400ad980aba0b000000")

  /// By NumPy's savez_compressed: w, 2 x 3 floats from 0 on, and labels 1 and 2.
  private static let npz = bytes(
    hexadecimal: """
      504b03042d0000000800000021004fe9002affffffffffffffff05001400772e6e707901001000980000000000000055000000000000009b
      ec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91a
      463a0ac69a3a0ab50a64032e063068b007120e4004c40d40bcc00100504b03042d0000000800000021000cfc1ce9ffffffffffffffff0a00
      14006c6162656c732e6e70790100100090000000000000004a000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9369
      a1aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91a463a9a3a0ab50a14002e4606086082d200504b01022d03
      2d0000000800000021004fe9002a5500000098000000050000000000000000000000800100000000772e6e7079504b01022d032d00000008
      00000021000cfc1ce94a000000900000000a000000000000000000000080018c0000006c6162656c732e6e7079504b050600000000020002
      006b000000120100000000
      """)

  @Test func gzipFilesAreDecompressed() throws {
    #expect(try IDXFile.read(bytes: Self.gzip) == Tensor([7, 8, 9] as [UInt8]))
    // Two members one after the other are one file, and zeros fill it up.
    let idx: [UInt8] = [0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]
    let halves = try Self.gzipped(Array(idx[..<4])) + Self.gzipped(Array(idx[4...]))
    #expect(try IDXFile.read(bytes: halves) == Tensor([7, 8, 9] as [UInt8]))
    #expect(try IDXFile.read(bytes: halves + [0, 0, 0]) == Tensor([7, 8, 9] as [UInt8]))
    #expect(throws: FileError.self) { try IDXFile.read(bytes: halves + [1, 2, 3]) }
  }

  @Test func decompressionIsBounded() throws {
    // 64 MiB of zeros in 65 kB.
    let bomb = try Self.gzipped([0, 0, 8, 1, 4, 0, 0, 0] + [UInt8](repeating: 0, count: 64 << 20))
    let error = #expect(throws: FileError.self) { try IDXFile.read(bytes: bomb, limit: 1 << 20) }
    #expect(error?.code == .unsupported)
    #expect(try IDXFile.read(bytes: bomb, limit: 8 + 64 << 20).count == 64 << 20)
    #expect(throws: FileError.self) { try IDXFile.read(bytes: bomb, limit: 7 + 64 << 20) }
  }

  @Test func damagedGzipFilesThrow() throws {
    let idx: [UInt8] = [0, 0, 8, 2, 0, 0, 0, 8, 0, 0, 0, 32] + (0..<256).map { UInt8($0 * 7 & 255) }
    let refused = try damage(Self.gzipped(idx)) { bytes throws(FileError) in _ = try IDXFile.read(bytes: bytes) }
    // The checksum finds nearly everything but what changes the header's time or name.
    #expect(refused > 3500)
  }

  @Test func numPyReadsAndIsRead() throws {
    let read = try NumPyArchive(bytes: Self.npz)
    #expect(read.tensors["w"] == Tensor([0, 1, 2, 3, 4, 5] as [Float], shape: [2, 3]))
    #expect(read.tensors["labels"] == Tensor([1, 2]))
  }

  @Test(arguments: [false, true]) func archivesComeBack(_ isCompressed: Bool) throws {
    let path = temporaryPath("\(isCompressed).npz")
    defer { unlink(path) }
    let tensors: [String: Tensor] = [
      "a": Tensor.range(to: 5000), "scalar": Tensor(2.5), "empty": Tensor([] as [Int32]),
      "transposed": Tensor([1, 2, 3, 4, 5, 6] as [Float], shape: [2, 3]).transposed(), "größe": Tensor([true, false]),
    ]
    try NumPyArchive(tensors: tensors).write(to: path, isCompressed: isCompressed)
    #expect(try NumPyArchive(path: path).tensors == tensors)
    let file = try bytes(of: path)
    #expect(isCompressed ? file.count < 15_000 : file.count > 20_000)
    #expect(throws: FileError.self) { try NumPyArchive(path: path, limit: 20_000) }
  }

  @Test(arguments: [false, true]) func damagedArchivesThrow(_ isCompressed: Bool) throws {
    let path = temporaryPath("damaged-\(isCompressed).npz")
    defer { unlink(path) }
    try NumPyArchive(tensors: ["a": Tensor([1.0, 2, 3]), "b": Tensor([1, 2, 3] as [Int32])])
      .write(to: path, isCompressed: isCompressed)
    let refused = try damage(try bytes(of: path)) { bytes throws(FileError) in _ = try NumPyArchive(bytes: bytes) }
    #expect(refused > 3000)
  }

  @Test func numPyItselfReadsWhatIsWritten() throws {
    let path = temporaryPath("for-numpy.npz")
    defer { unlink(path) }
    try NumPyArchive(tensors: ["w": Tensor([1, 2, 3] as [Float]), "n": Tensor([7])])
      .write(to: path, isCompressed: true)
    let said = python("import numpy as n; a = n.load('\(path)'); print(a['w'].tolist(), a['n'].tolist(), a['w'].dtype)")
    // nil where there is no Python with NumPy.
    if let said { #expect(said == "[1.0, 2.0, 3.0] [7] float32\n") }
  }

  /// A gzip member of bytes.
  private static func gzipped(_ content: [UInt8]) throws -> [UInt8] {
    let (packed, checksum) = try content.withUnsafeBytes { bytes in
      (try Inflation.deflate(bytes, path: "bytes"), Inflation.crc32(bytes))
    }
    func little(_ value: UInt32) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }
    return [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255] + packed + little(checksum)
      + little(UInt32(truncatingIfNeeded: content.count))
  }
}

/// What Python prints for a program; nil where it fails, as where a package is not installed.
func python(_ program: String) -> String? {
  let quoted = program.replacing("'", with: "'\\''")
  guard let pipe = popen("python3 -c '\(quoted)' 2>/dev/null", "r") else { return nil }
  var text: [UInt8] = []
  while true {
    let byte = fgetc(pipe)
    if byte == EOF { break }
    text.append(UInt8(truncatingIfNeeded: byte))
  }
  return pclose(pipe) == 0 ? String(decoding: text, as: UTF8.self) : nil
}
