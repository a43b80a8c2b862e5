import Apus

/// Pictures of clothes in ten classes, 28 x 28 bytes each (H. Xiao et al., 2017), as Debian's dataset-fashion-mnist has them.
package struct FashionMNIST {
  /// Where Debian puts the files.
  package static let debianFolder = "/usr/share/datasets/fashion-mnist"

  /// 60000 pictures, [count, 1, 28, 28] with the mean 0 and the deviation 1, and their classes.
  package let training: TensorDataset
  /// 10000 pictures more.
  package let test: TensorDataset

  /// Reads the four files of a folder.
  package init(folder: String) throws {
    training = try Self.read(folder, "train", 60_000)
    test = try Self.read(folder, "t10k", 10_000)
  }

  /// Pictures in the place of the data set, for tests: class c is a bright square at a place of its own, under noise.
  package init(imitating count: Int, seed: UInt64) {
    let generator = RandomGenerator(seed: seed)
    func make(_ count: Int) -> TensorDataset {
      var pixels = Tensor.uniform([count, 784], in: 0..<120, generator: generator).converted(to: .uint8)
      let labels = (0..<count).map { Int32($0 % 10) }
      pixels.withMutableElements(UInt8.self) { pixels in
        for (i, label) in labels.enumerated() {
          let (row, column) = (Int(label) / 5 * 14 + 3, Int(label) % 5 * 5 + 1)
          for y in row..<row + 8 { for x in column..<column + 5 { pixels[i * 784 + y * 28 + x] += 120 } }
        }
      }
      return Self.dataset(pixels.reshaped([count, 28, 28]), Tensor(labels))
    }
    training = make(count)
    test = make(count / 4)
  }

  private static func read(_ folder: String, _ part: String, _ count: Int) throws -> TensorDataset {
    do {
      let images = try IDXFile.read(path: "\(folder)/\(part)-images-idx3-ubyte.gz")
      let labels = try IDXFile.read(path: "\(folder)/\(part)-labels-idx1-ubyte.gz")
      guard images.shape == [count, 28, 28], labels.shape == [count], images.dtype == .uint8, labels.dtype == .uint8
      else {
        throw DataError("\(folder): \(images.shape) images and \(labels.shape) labels, not \(count) of 28 x 28")
      }
      let most = labels.withElements(UInt8.self) { $0.max() ?? 0 }
      guard most <= 9 else { throw DataError("\(folder): a label of \(part) is \(most); classes are 0 to 9") }
      return dataset(images, labels.converted(to: .int32))
    } catch let error as FileError where error.code == .system {
      throw DataError("\(error); apt-get install dataset-fashion-mnist, or name its folder with --data")
    }
  }

  /// Bytes become numbers batch by batch, with the mean 0 and the deviation 1 of the data set.
  private static func dataset(_ images: Tensor, _ labels: Tensor) -> TensorDataset {
    TensorDataset(inputs: images, targets: labels) { batch in
      let numbers = (batch.inputs.converted(to: .float32) - 0.2860 * 255) * (1 / (0.3530 * 255))
      batch.inputs = numbers.expanded(at: 1)
    }
  }
}
