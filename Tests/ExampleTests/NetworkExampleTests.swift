import Apus
import Foundation
import GalleryNetworks
import Testing

/// The gallery's networks, in their small modes.
@Suite struct NetworkExampleTests {
  @Test(arguments: ["nin", "googlenet"]) func networksOfBlocksLearn(_ name: String) throws {
    let output = try Example.small(name)
    #expect(try Example.figure("test accuracy", in: output) >= 0.8)
    #expect(output.text.contains("images/s"))
  }

  @Test func googLeNetCountsReductions() throws {
    let output = try Example.small("googlenet", ["--steps", "1"])
    // 192 channels: 64, 96 to 128, 16 to 32, and 32 behind the pooling, with biases.
    #expect(output.text.contains("163696"))
    #expect(output.text.contains("393472"))
  }

  @Test func activationsDiffer() throws {
    let output = try Example.small("activations")
    #expect(try Example.figure("sigmoid: first gradient norm over last", in: output) <= 0.001)
    for name in ["tanh", "relu", "leaky-relu", "elu"] {
      #expect(try Example.figure("\(name): test accuracy", in: output) >= 0.7)
    }
  }

  @Test func aLargeLearningRateDiverges() throws {
    let output = try Example.small("descent")
    #expect(try Example.figure("too large: largest loss over first", in: output) >= 10)
    for name in ["SGD", "momentum", "Adam"] {
      #expect(try Example.figure("\(name): share of the way down", in: output) >= 0.8)
    }
  }

  @Test func convolutionsShare() throws {
    let output = try Example.small("convolution")
    for name in ["dense", "locally connected", "shared"] {
      #expect(try Example.figure("\(name): test accuracy", in: output) >= 0.8)
    }
    #expect(try Example.figure("output sizes are those of the formula", in: output) == 1)
    // AlexNet's first layer: each unit alone, and 96 filters of 3 x 11 x 11 with a bias.
    #expect(output.text.contains("105705600"))
    #expect(output.text.contains("34944"))
    // 7 wide, 3 of a kernel, stride 3.
    #expect(output.text.contains("refused: "))
  }

  @Test func lesserNetworksShowTheirFeatures() throws {
    let output = try Example.small("features")
    #expect(output.text.contains("Parameters: 61706"))
    #expect(try Example.figure("test accuracy", in: output) >= 0.7)
  }

  @Test func featuresTakesACheckpointOfLenet() throws {
    let folder = try Example.folder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = folder.appendingPathComponent("lenet.checkpoint").path
    #expect(try Example.run("lenet", ["--small", "--checkpoint", path]).status == 0)
    let output = try Example.small("features", ["--checkpoint", path], isTimed: false)
    #expect(!output.text.contains("Epoch"))
    #expect(try Example.figure("test accuracy", in: output) >= 0.7)
  }

  @Test func forecastsBeatTheNaiveOnes() throws {
    let output = try Example.small("series")
    #expect(try Example.figure("error over the better naive one", in: output) <= 0.95)
  }

  @Test func alexNetHasItsShapes() throws {
    let output = try Example.small("architectures", isTimed: false)
    #expect(output.text.contains("Parameters: 60965224"))
    for shape in ["[1, 96, 55, 55]", "[1, 256, 27, 27]", "[1, 384, 13, 13]", "[1, 256, 6, 6]", "[1, 1000]"] {
      #expect(output.text.contains(shape), "\(shape)")
    }
    #expect(output.text.contains("[1, 256, 28, 28]"))
  }

  @Test func vgg16HasItsShapes() throws {
    let output = try Example.run("gallery", ["architectures", "--only", "vgg16"])
    #expect(output.status == 0, "\(output.errors)")
    #expect(output.text.contains("Parameters: 138357544"))
    for shape in ["[1, 64, 224, 224]", "[1, 128, 112, 112]", "[1, 256, 56, 56]", "[1, 512, 28, 28]", "[1, 512, 7, 7]"] {
      #expect(output.text.contains(shape), "\(shape)")
    }
  }

  @Test func alexNetAsOneTower() {
    #expect(makeAlexNet(groups: 1, initialization: .constant(0)).parameterCount == 62_378_344)
  }

  @Test(arguments: ["descent", "activations", "convolution", "features", "nin", "googlenet", "series"])
  func missingDataAreSaidInALine(_ name: String) throws {
    let output = try Example.run("gallery", [name, "--data", "/nonexistent"])
    #expect(output.status == 1)
    #expect(output.errors.split(separator: "\n").count == 1, "\(output.errors)")
    #expect(output.errors.contains("/nonexistent"))
    #expect(output.errors.contains("apt-get install"))
  }

  @Test func aTableThatIsNoneIsSaidInALine() throws {
    let folder = try Example.folder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = folder.appendingPathComponent("weather.csv").path
    for (text, named) in [
      ("", "first line"), ("date,temp\n", "first line"),
      ("date,precipitation,temp_max,temp_min,wind\n2012/01/01,0,12.8,warm,4.7\n", "line 2"),
      ("date,precipitation,temp_max,temp_min,wind\n2012/01/01,0,12.8,5,4.7\n", "two years"),
    ] {
      try text.write(toFile: path, atomically: true, encoding: .utf8)
      let output = try Example.run("gallery", ["series", "--data", path])
      #expect(output.status == 1)
      #expect(output.errors.split(separator: "\n").count == 1, "\(output.errors)")
      #expect(output.errors.contains(named), "\(output.errors)")
    }
  }

  @Test(arguments: [
    ("nin", ["--dropout", "1"], "--dropout"), ("nin", ["--small", "--data", "/tmp"], "--data"),
    ("nin", ["--epochs", "0"], "--epochs"), ("nin", ["--learning-rate", "nan"], "--learning-rate"),
    ("googlenet", ["--width", "0"], "--width"), ("googlenet", ["--batch-size", "0"], "--batch-size"),
    ("activations", ["--depth", "1"], "--depth"), ("descent", ["--share", "1"], "--share"),
    ("convolution", ["--count", "0"], "--count"), ("features", ["--picture", "-1"], "--picture"),
    ("features", ["--small", "--picture", "5000"], "--picture"),
    ("features", ["--checkpoint", "/tmp/lenet", "--epochs", "1"], "--checkpoint"),
    ("architectures", ["--only", "resnet"], "--only"),
    ("architectures", ["--small", "--only", "vgg16"], "--only"), ("series", ["--ahead", "0"], "--ahead"),
    ("series", ["--small", "--data", "/tmp"], "--data"), ("descent", ["--small", "--data", "/tmp"], "--data"),
    ("convolution", ["--small", "--count", "100"], "--count"), ("activations", ["--width", "2000"], "--width"),
    ("nin", ["--batch-size", "1025"], "--batch-size"), ("nin", ["--figure", ""], "--figure"),
    ("nin", ["--figure", "/tmp"], "--figure"), ("nin", ["--figure", "/etc/passwd/figure.svg"], "--figure"),
  ])
  func wrongOptions(_ name: String, _ arguments: [String], _ named: String) throws {
    let output = try Example.run("gallery", [name] + arguments)
    #expect(output.status == 64)
    #expect(Example.firstError(output).contains(named), "\(output.errors)")
  }
}
