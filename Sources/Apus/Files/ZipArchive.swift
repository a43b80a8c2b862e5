/// What a zip archive (PKWARE's APPNOTE) holds, by its central directory.
struct ZipArchive {
  struct Entry {
    let name: String
    let isDeflated: Bool
    let checksum: UInt32
    let compressedSize: Int
    let size: Int
    /// Where its local header is.
    let offset: Int
    /// Where the directory has it, for messages.
    let place: Int
  }

  let file: FileBytes
  let entries: [Entry]

  /// Reads the directory.
  init(_ file: FileBytes) throws(FileError) {
    self.file = file
    let end = try Self.end(of: file)
    var (count, start) = (
      UInt64(try file.integer(UInt16.self, at: end + 10, "the number of entries")),
      UInt64(try file.integer(UInt32.self, at: end + 16, "the place of the directory"))
    )
    if count == 0xFFFF || start == 0xFFFF_FFFF {
      // zip64: a record of its own, whose place stands in front of this one.
      let locator = end - 20
      if locator >= 0, try file.integer(UInt32.self, at: locator, "a record") == 0x0706_4B50 {
        let place = try Self.place(file, try file.integer(UInt64.self, at: locator + 8, "a place"), locator + 8)
        if try file.integer(UInt32.self, at: place, "the zip64 record") != 0x0606_4B50 {
          throw file.error(.malformed, at: place, "there should be the zip64 record")
        }
        count = try file.integer(UInt64.self, at: place + 32, "the number of entries")
        start = try file.integer(UInt64.self, at: place + 48, "the place of the directory")
      }
    }
    var place = try Self.place(file, start, end + 16)
    var entries: [Entry] = []
    var index: UInt64 = 0
    while index < count {
      let (entry, next) = try Self.entry(file, place)
      entries.append(entry)
      place = next
      index += 1
    }
    self.entries = entries
  }

  /// The bytes of an entry, decompressed, with its checksum compared.
  func bytes(_ entry: Entry, limit: Int) throws(FileError) -> FileBytes {
    let header = entry.offset
    if try file.integer(UInt32.self, at: header, "the header of \(entry.name)") != 0x0403_4B50 {
      throw file.error(.malformed, at: header, "there should be the header of \(entry.name)")
    }
    let name = Int(try file.integer(UInt16.self, at: header + 26, "the length of a name"))
    let extra = Int(try file.integer(UInt16.self, at: header + 28, "the length of a field"))
    let start = header + 30 + name + extra
    try file.require(start, entry.compressedSize, "the data of \(entry.name)")
    if entry.size > limit {
      throw file.error(.unsupported, at: entry.place, "\(entry.name) has \(entry.size) bytes, more than \(limit)")
    }
    let range = start..<start + entry.compressedSize
    let path = "\(file.path)(\(entry.name))"
    let result: FileBytes
    if entry.isDeflated {
      result = try Inflation.inflate(file, range, .bare, limit: entry.size, path: path)
    } else {
      result = FileBytes(UnsafeRawBufferPointer(rebasing: file.bytes[range]), path: path)
    }
    if result.bytes.count != entry.size {
      throw file.error(
        .malformed, at: start, "\(entry.name) has \(result.bytes.count) bytes, but should have \(entry.size)")
    }
    if Inflation.crc32(result.bytes) != entry.checksum {
      throw file.error(.malformed, at: start, "the checksum of \(entry.name) is wrong")
    }
    return result
  }

  /// A number of the file as a place in it.
  private static func place(_ file: FileBytes, _ number: UInt64, _ offset: Int) throws(FileError) -> Int {
    if number > UInt64(file.bytes.count) {
      throw file.error(
        .truncated, at: offset, "it names the place \(number), but the file has \(file.bytes.count) bytes")
    }
    return Int(number)
  }

  /// Where the record at the end is: 22 bytes, with a comment behind it of up to 65535.
  private static func end(of file: FileBytes) throws(FileError) -> Int {
    let last = file.bytes.count - 22
    var place = last
    while place >= 0 && place >= last - 0xFFFF {
      if try file.integer(UInt32.self, at: place, "a record") == 0x0605_4B50,
        Int(try file.integer(UInt16.self, at: place + 20, "the length of the comment")) == last - place
      {
        return place
      }
      place -= 1
    }
    throw file.error(.malformed, at: max(0, last), "it has no directory, as a zip archive has at its end")
  }

  private static func entry(_ file: FileBytes, _ place: Int) throws(FileError) -> (Entry, next: Int) {
    if try file.integer(UInt32.self, at: place, "an entry of the directory") != 0x0201_4B50 {
      throw file.error(.malformed, at: place, "there should be an entry of the directory")
    }
    func short(_ offset: Int) throws(FileError) -> Int {
      Int(try file.integer(UInt16.self, at: place + offset, "an entry of the directory"))
    }
    func long(_ offset: Int) throws(FileError) -> UInt64 {
      UInt64(try file.integer(UInt32.self, at: place + offset, "an entry of the directory"))
    }
    let (nameLength, extraLength, commentLength) = (try short(28), try short(30), try short(32))
    try file.require(place + 46, nameLength + extraLength + commentLength, "an entry of the directory")
    let name = String(decoding: file.bytes[place + 46..<place + 46 + nameLength], as: UTF8.self)
    if try short(8) & 1 != 0 { throw file.error(.unsupported, at: place + 8, "\(name) is encrypted") }
    let method = try short(10)
    if method != 0 && method != 8 {
      throw file.error(.unsupported, at: place + 10, "\(name) is compressed with method \(method)")
    }
    var sizes = [try long(24), try long(20), try long(42)]
    // Numbers that 32 bits do not hold stand in a field of their own, in this order.
    var extra = place + 46 + nameLength
    let extraEnd = extra + extraLength
    while extra + 4 <= extraEnd {
      let id = try file.integer(UInt16.self, at: extra, "a field")
      let length = Int(try file.integer(UInt16.self, at: extra + 2, "a field"))
      if extra + 4 + length > extraEnd { break }
      if id == 1 {
        var own = extra + 4
        for i in sizes.indices where sizes[i] == 0xFFFF_FFFF && own + 8 <= extra + 4 + length {
          sizes[i] = try file.integer(UInt64.self, at: own, "a size")
          own += 8
        }
      }
      extra += 4 + length
    }
    // An uncompressed size says nothing about the file's, but compressed bytes must be there.
    let compressed = try Self.place(file, sizes[1], place + 20)
    guard let size = Int(exactly: sizes[0]) else {
      throw file.error(.malformed, at: place + 24, "\(name) has \(sizes[0]) bytes")
    }
    let entry = Entry(
      name: name, isDeflated: method == 8, checksum: UInt32(try long(16)), compressedSize: compressed, size: size,
      offset: try Self.place(file, sizes[2], place + 42), place: place)
    return (entry, place + 46 + nameLength + extraLength + commentLength)
  }
}
