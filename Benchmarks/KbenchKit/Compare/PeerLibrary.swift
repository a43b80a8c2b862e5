import Foundation

/// A library that does what a family does, and where to find it.
public struct PeerLibrary: Sendable, Equatable {
  /// As tables show it.
  public var name: String
  /// Tried in this order, by the dynamic linker's rules.
  public var paths: [String]
  /// The function; `?` stands for the letter of the type, s or d.
  public var symbol: String
  /// A function without arguments that returns a text about the library, where it has one.
  public var versionSymbol: String?
  /// How to use it, where the family knows several ways; the family's own words.
  public var manner: String
  /// For someone who does not have it.
  public var howToInstall: String

  /// A library.
  public init(
    name: String, paths: [String], symbol: String, versionSymbol: String? = nil, manner: String = "",
    howToInstall: String
  ) {
    self.name = name
    self.paths = paths
    self.symbol = symbol
    self.versionSymbol = versionSymbol
    self.manner = manner
    self.howToInstall = howToInstall
  }

  /// Reads `NAME=PATH[:SYMBOL]`. In the symbol, `?` stands for s or d; `standard` serves where none is given.
  public static func parse(_ text: String, standard: String) throws(ProblemError) -> PeerLibrary {
    let rule = "it must be NAME=PATH or NAME=PATH:SYMBOL, where SYMBOL has one ? for the type's letter, s or d"
    guard let equals = text.firstIndex(of: "=") else { throw ProblemError("--library \(text)", rule) }
    let name = String(text[..<equals])
    var path = String(text[text.index(after: equals)...])
    var symbol = standard
    if let colon = path.lastIndex(of: ":") {
      symbol = String(path[path.index(after: colon)...])
      path = String(path[..<colon])
    }
    guard !name.isEmpty, !path.isEmpty, symbol.filter({ $0 == "?" }).count == 1, name != Comparison.own else {
      throw ProblemError("--library \(text)", rule)
    }
    return PeerLibrary(name: name, paths: [path], symbol: symbol, howToInstall: "give --library a path that exists")
  }

  /// Loads the library into this process. Only a worker does, for it may start threads.
  public func load() throws(PeerError) -> LoadedLibrary {
    var reason = ""
    for path in paths {
      if let handle = dlopen(path, RTLD_NOW | RTLD_LOCAL) { return LoadedLibrary(handle: handle, library: self) }
      reason = dlerror().map { String(cString: $0) } ?? "dlopen failed"
    }
    throw PeerError(reason)
  }
}

/// Why a peer cannot take part.
public struct PeerError: Error, CustomStringConvertible {
  /// The reason.
  public var description: String

  init(_ description: String) { self.description = description }
}

/// A peer in this process.
public struct LoadedLibrary {
  let handle: UnsafeMutableRawPointer
  let library: PeerLibrary

  /// The peer's function for a type.
  public func function(_ type: ElementType) throws(PeerError) -> UnsafeMutableRawPointer {
    let name = library.symbol.replacingOccurrences(of: "?", with: type == .float32 ? "s" : "d")
    guard let function = dlsym(handle, name) else { throw PeerError("it has no \(name)") }
    return function
  }

  /// What the library says of itself, without line feeds.
  public var version: String {
    guard let symbol = library.versionSymbol, let function = dlsym(handle, symbol) else { return "" }
    typealias Describe = @convention(c) () -> UnsafePointer<CChar>?
    let text = unsafeBitCast(function, to: Describe.self)().map { String(cString: $0) } ?? ""
    return text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
  }
}
