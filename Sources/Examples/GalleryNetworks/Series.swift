import Apus
import ArgumentParser
import ExampleSupport
import Foundation

/// Days of weather, one after the other.
struct Weather {
  /// Where Debian's python3-vega-datasets puts Seattle's weather of 2012 to 2015, measured by the station of the airport.
  static let debianFile = "/usr/lib/python3/dist-packages/vega_datasets/_data/seattle-weather.csv"
  private static let columns = ["temp_max", "temp_min", "precipitation", "wind"]

  /// Of each day: the highest and lowest temperature (C), precipitation (mm), wind (m/s).
  private(set) var days: [[Double]] = []
  /// Of each day, from 0 to 1 over the year.
  private(set) var seasons: [Double] = []
  /// The number of the first day that is held out.
  private(set) var heldOut = 0
  let name: String

  /// Reads the table; its last year is held out.
  init(path: String) throws {
    name = "Seattle"
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
      throw DataError("\(path) cannot be read; apt-get install python3-vega-datasets, or name a copy with --data")
    }
    let lines = text.split(whereSeparator: \.isNewline).map {
      $0.split(separator: ",", omittingEmptySubsequences: false)
    }
    let places = Self.columns.compactMap { column in lines.first?.firstIndex { $0 == column } }
    guard places.count == Self.columns.count, lines[0].first == "date" else {
      throw DataError("\(path): its first line does not name date, \(Self.columns.joined(separator: ", "))")
    }
    var years: [Substring] = []
    for (number, line) in lines.enumerated().dropFirst() {
      let numbers = line.count == lines[0].count ? places.compactMap { Double(line[$0]) } : []
      guard numbers.count == places.count, numbers.allSatisfy(\.isFinite) else {
        throw DataError("\(path): line \(number + 1) is no day")
      }
      let year = line[0].prefix(4)
      let isNew = years.last != year
      seasons.append(isNew ? 0 : min((seasons.last ?? 0) + 1 / 365, 1))
      years.append(year)
      days.append(numbers)
      if isNew { heldOut = days.count - 1 }
    }
    guard heldOut >= 365 else { throw DataError("\(path): it has less than two years") }
  }

  /// Four years of made-up weather: a season, and about it what a day keeps of the day before.
  init(imitating seed: UInt64) {
    name = "made-up weather"
    heldOut = 3 * 365
    let noise = Tensor.normal([4 * 365, 4], generator: RandomGenerator(seed: seed)).array(of: Double.self)
    var off = 0.0
    for day in 0..<4 * 365 {
      let season = Double(day % 365) / 365
      off = 0.8 * off + 2.5 * noise[4 * day]
      let warmest = 15 - 10 * cos(2 * .pi * season) + off
      seasons.append(season)
      days.append([warmest, warmest - 8 + noise[4 * day + 1], abs(noise[4 * day + 2]), 3 + noise[4 * day + 3]])
    }
  }

  /// What a network is given: for each day from `range` the `length` days that end `ahead` days before it, as numbers about
  /// 0, with the season of the day that is asked for; and that day's highest temperature.
  ///
  /// Means and deviations are those of the days that are not held out.
  func samples(_ range: Range<Int>, length: Int, ahead: Int, scale: Scale) -> TensorDataset {
    var inputs: [Float] = [], targets: [Float] = []
    for day in range {
      let angle = 2 * Double.pi * seasons[day]
      for past in day - ahead - length + 1...day - ahead {
        inputs += (0..<4).map { Float((days[past][$0] - scale.means[$0]) / scale.deviations[$0]) }
        inputs += [Float(sin(angle)), Float(cos(angle))]
      }
      targets.append(Float((days[day][0] - scale.means[0]) / scale.deviations[0]))
    }
    return TensorDataset(
      inputs: Tensor(inputs, shape: [range.count, length, 6]), targets: Tensor(targets, shape: [range.count, 1]))
  }

  /// Means and deviations of the four numbers.
  struct Scale {
    var means: [Double], deviations: [Double]
  }

  /// Of the days that are not held out.
  var scale: Scale {
    let known = Tensor(days[..<heldOut].flatMap { $0 }, shape: [heldOut, 4])
    return Scale(
      means: known.mean(along: [0]).array(of: Double.self),
      deviations: known.variance(along: [0]).squareRoot().array(of: Double.self))
  }

  /// The mean absolute error of saying that a day is as the one so long before it.
  func naiveError(_ range: Range<Int>, daysBefore: Int) -> Double {
    range.reduce(0) { $0 + abs(days[$1][0] - days[$1 - daysBefore][0]) } / Double(range.count)
  }

  /// The mean absolute error of saying the mean of the days of that season, ten to each side, in the years before; behind the last day of a
  /// year comes its first.
  func seasonError(_ range: Range<Int>) -> Double {
    let errors = range.map { day in
      let alike = (0..<heldOut).filter {
        let distance = abs(seasons[$0] - seasons[day])
        return min(distance, 1 - distance) < 10.5 / 365
      }
      return abs(days[day][0] - alike.reduce(0) { $0 + days[$1][0] } / Double(alike.count))
    }
    return errors.reduce(0, +) / Double(range.count)
  }
}

/// A GRU reads the days, and a linear layer says the temperature from its last state.
final class Forecaster: Module {
  let recurrent: GRU
  let output: Linear

  init(hidden: Int) {
    recurrent = GRU(inputSize: 6, hiddenSize: hidden, isBatchFirst: true)
    output = Linear(hidden, 1)
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let states = recurrent(x)
    return output(states[.all, x.shape[1] - 1])
  }
}

struct SeriesExample: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "series", abstract: "A GRU forecasts the temperature of Seattle, beside the naive forecasts.",
    discussion: "The data are Debian's: apt-get install python3-vega-datasets.")

  @OptionGroup var common: RunOptions
  @Option(help: "The table of days (default: \(Weather.debianFile)).")
  var data: String?
  @Option(help: "Days from the last that is known to the one that is forecast.")
  var ahead = 3
  @Option(help: "Days that the network reads.")
  var length = 14
  @Option(help: "Numbers of its state.")
  var hidden = 16
  @Option(help: "Epochs.")
  var epochs = 30
  @Option(help: "Adam's learning rate at the beginning; it falls to 0 along a cosine.")
  var learningRate = 0.005

  func validate() throws {
    try common.refuse("data", data)
    try check("ahead", ahead, in: 1...30)
    try check("length", length, in: 1...200)
    try check("hidden", hidden, in: 1...1024)
    try check("epochs", epochs, in: 1...10_000)
    try checkLearningRate(learningRate)
  }

  func run() throws {
    let weather =
      try common.small ? Weather(imitating: common.seed) : Weather(path: data ?? Weather.debianFile)
    let scale = weather.scale, deviation = scale.deviations[0]
    let known = length + ahead - 1..<weather.heldOut, heldOut = weather.heldOut..<weather.days.count
    let test = weather.samples(heldOut, length: length, ahead: ahead, scale: scale)
    let loader = DataLoader(
      weather.samples(known, length: length, ahead: ahead, scale: scale), batchSize: 32, shuffles: true,
      seed: common.seed)
    try common.seeded {
      let model = Forecaster(hidden: hidden)
      print(model.summary(inputShape: [1, length, 6]))
      let trainer = Trainer(model, optimizer: Adam(model.parameters, learningRate: learningRate)) { output, target in
        meanAbsoluteError(output, target)
      }
      trainer.options.fall(from: learningRate, over: epochs, of: loader, counting: "days")
      let history = try trainer.fit(loader, validation: DataLoader(test, batchSize: 128))

      let error = (history.last?.validationLoss ?? .nan) * deviation
      let persistence = weather.naiveError(heldOut, daysBefore: ahead)
      let lastYear = weather.naiveError(heldOut, daysBefore: 365), season = weather.seasonError(heldOut)
      print("\nmean absolute error over the \(heldOut.count) days held out, \(ahead) days ahead:")
      print("  as \(ahead) days before: \(rounded(persistence)) C")
      print("  as the year before: \(rounded(lastYear)) C")
      print("  the season's mean in the years before: \(rounded(season)) C")
      print("  GRU: \(rounded(error)) C\n")
      let forecasts = model.evaluating {
        withoutGradients { model(test.inputs).array(of: Double.self).map { $0 * deviation + scale.means[0] } }
      }
      try common.draw {
        draw(weather, heldOut, forecasts, history.map { ($0.loss, $0.validationLoss ?? .nan) }, deviation)
      }
      var outcome = Outcome(sampleName: "days")
      outcome.count(history)
      outcome.require(
        "error over the better naive one", error / min(persistence, lastYear),
        atMost: common.small ? 0.95 : 0.92)
      // What is made up hardly knows more of a day than its season.
      if !common.small { outcome.require("error over that of the season's mean", error / season, atMost: 0.97) }
      try outcome.finish()
    }
  }

  private func draw(
    _ weather: Weather, _ heldOut: Range<Int>, _ forecasts: [Double], _ losses: [(Double, Double)], _ deviation: Double
  ) -> Figure {
    var figure = Figure("\(weather.name): the highest temperature of each day, \(ahead) days ahead")
    var year = Chart("The year that was held out", x: "day", y: "C")
    year.add("measured", heldOut.map { weather.days[$0][0] })
    year.add("GRU", forecasts)
    figure.add(year)
    var error = Chart("Mean absolute error", x: "epoch", y: "C")
    error.add("training", losses.map { $0.0 * deviation })
    error.add("held out", losses.map { $0.1 * deviation })
    figure.add(error)
    return figure
  }
}
