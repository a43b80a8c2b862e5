/// What is wrong with the data, in a line.
package struct DataError: Error, CustomStringConvertible {
  package let description: String
  /// An error with its text.
  package init(_ description: String) { self.description = description }
}
