import Testing

@testable import Apus

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A path that no other test has.
func temporaryPath(_ name: String) -> String { "/tmp/apus-\(getpid())-\(name)" }

func bytes(of path: String) throws -> [UInt8] {
  let file = try FileBytes(path: path)
  return withExtendedLifetime(file) { Array(file.bytes) }
}

/// Bytes by their hexadecimal digits.
func bytes(hexadecimal digits: String) -> [UInt8] {
  let values = digits.compactMap { $0.hexDigitValue }.map(UInt8.init)
  return stride(from: 0, to: values.count - 1, by: 2).map { values[$0] << 4 | values[$0 + 1] }
}

/// Reads every beginning of a file, which must throw, and the file with any bytes changed: the reader throws a typed error or
/// gives something, and does not stop the program. Returns how many of the changed ones it refused.
@discardableResult
func damage(
  _ whole: [UInt8], changes: Int = 4000, allowsCut: Bool = false, _ read: (_ bytes: [UInt8]) throws(FileError) -> Void
) throws -> Int {
  try read(whole)
  for length in 0..<whole.count {
    do throws(FileError) {
      try read(Array(whole[..<length]))
      #expect(allowsCut, "\(length) bytes of \(whole.count) were read")
    } catch {
      if let offset = error.offset { #expect(offset >= 0) }
    }
  }
  var state: UInt64 = 1
  var refused = 0
  for _ in 0..<changes {
    var bytes = whole
    for _ in 0..<3 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      bytes[Int(state >> 33) % bytes.count] = UInt8(truncatingIfNeeded: state >> 24)
    }
    do throws(FileError) { try read(bytes) } catch { refused += 1 }
  }
  return refused
}
