// Detector, landmarks and lifter of a posepipe bundle, by its manifest alone: BGR pictures on stdin, a line of JSON each.
//   g++ -std=c++17 -O2 pose.cpp -I ORT/include -L ORT/lib -lonnxruntime -o pose      (and nlohmann-json)
//   ffmpeg -i clip.mp4 -f rawvideo -pix_fmt bgr24 - | ./pose BUNDLE WIDTH HEIGHT
#include <onnxruntime_cxx_api.h>
#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
using std::string, std::vector, nlohmann::json;
using Values = std::map<string, Ort::Value>;
struct Roi { double x, y, size, angle; };

template <class T> Ort::Value tensor(vector<T>& data, vector<int64_t> shape, ONNXTensorElementDataType type) {
  static auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  return Ort::Value::CreateTensor(memory, data.data(), data.size() * sizeof(T), shape.data(), shape.size(), type);
}
struct Bundle {
  Ort::Env env{ORT_LOGGING_LEVEL_ERROR};
  json manifest;
  std::map<string, Ort::Session> open;
  string folder;
  Values run(const string& name, Values feeds) {
    const json& entry = manifest["models"][name];
    auto net = open.try_emplace(name, env, (folder + "/" + entry["file"].get<string>()).c_str(), Ort::SessionOptions{}).first;
    vector<string> names; vector<const char*> in, out; vector<Ort::Value> given;
    for (auto& port : entry["outputs"]) names.push_back(port["name"]);
    for (auto& one : names) out.push_back(one.c_str());
    for (auto& [key, value] : feeds) in.push_back(key.c_str()), given.push_back(std::move(value));
    auto made = net->second.Run({}, in.data(), given.data(), in.size(), out.data(), out.size());
    Values found;
    for (size_t i = 0; i < names.size(); i++) found.emplace(names[i], std::move(made[i]));
    return found;
  }
};
std::array<double, 6> matrix(const Roi& r, double side) {  // from the crop to the picture, pixels
  double c = cos(r.angle) * r.size / side, s = sin(r.angle) * r.size / side, h = side / 2;
  return {c, -s, r.x - h * (c - s), s, c, r.y - h * (s + c)};
}
std::array<double, 2> place(const Roi& r, double u, double v) {
  auto m = matrix(r, 1);
  return {m[0] * u + m[1] * v + m[2], m[3] * u + m[4] * v + m[5]};
}
Roi around(std::array<double, 2> hips, std::array<double, 2> end) {
  double dx = end[0] - hips[0], dy = end[1] - hips[1];
  return {hips[0], hips[1], 2.5 * std::hypot(dx, dy), M_PI / 2 - atan2(-dy, dx)};
}
vector<uint8_t> crop(const vector<uint8_t>& bgr, int w, int h, const Roi& r, int side, bool repeat_edge) {
  auto m = matrix(r, side);
  vector<uint8_t> out;
  auto at = [&](int x, int y, int c) -> double {
    if (repeat_edge) x = std::clamp(x, 0, w - 1), y = std::clamp(y, 0, h - 1);
    return x < 0 || y < 0 || x >= w || y >= h ? 0 : bgr[3 * (size_t(y) * w + x) + c];
  };
  for (int v = 0; v < side; v++) for (int u = 0; u < side; u++) {
    double x = m[0] * u + m[1] * v + m[2], y = m[3] * u + m[4] * v + m[5], fx = x - floor(x), fy = y - floor(y);
    int i = int(floor(x)), j = int(floor(y));
    for (int c = 0; c < 3; c++)
      out.push_back(uint8_t(std::lround((at(i, j, c) * (1 - fx) + at(i + 1, j, c) * fx) * (1 - fy) +
                                        (at(i, j + 1, c) * (1 - fx) + at(i + 1, j + 1, c) * fx) * fy)));
  }
  return out;
}
double sigma_px(const json& rules, int joint, const float* f, double cell) {  // posepipe/keypoints/sigma.py
  const json& c = rules["first"]; auto of = [&](const char* key) { return c[key].get<double>(); };
  auto doubt = [](double x) { return 1 - std::clamp(x, 0.0, 1.0); };
  double sharp = of("floor") + of("slope") * std::max((f[1] < 1e5 ? f[1] : of("most")) - of("blur"), 0.0);
  double first = std::min(of("most"), sharp * (1 + of("peak") * doubt(f[0]) + of("hidden") * pow(doubt(f[2]), 2) + of("outside") * doubt(f[3])));
  auto row = [&](int k) { return rules["cap"][k][joint].get<double>(); };
  return cell * std::min(of("most"), row(0) * row(3) * pow(std::max(first, 1e-3), row(1)) * exp(row(2) * doubt(f[2])));
}
int main(int count, char** words) {
  if (count != 4) return std::cerr << "pose BUNDLE WIDTH HEIGHT\n", 2;
  Bundle net; net.folder = words[1];
  net.manifest = json::parse(std::ifstream(net.folder + "/manifest.json"));
  const int w = std::stoi(words[2]), h = std::stoi(words[3]);
  const double focal = std::max(w, h) / (2 * tan(M_PI / 6));
  const auto FLOAT = ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, BYTE = ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8;
  vector<uint8_t> bgr(3 * size_t(w) * h), yes(21, 1), assumed(1, 1);
  Roi roi{}; bool known = false;
  while (std::cin.read(reinterpret_cast<char*>(bgr.data()), bgr.size())) {
    json said;
    if (!known) {
      Roi square{w / 2.0, h / 2.0, double(std::max(w, h)), 0};
      auto picture = crop(bgr, w, h, square, 224, false);
      Values feeds; feeds.emplace("image", tensor(picture, {1, 224, 224, 3}, BYTE));
      Values found = net.run("detector_decode", net.run("detector", std::move(feeds)));
      known = found.at("score").GetTensorTypeAndShapeInfo().GetElementCount() > 0;
      const float* p = known ? found.at("points").GetTensorData<float>() : nullptr;
      if (known) roi = around(place(square, p[0], p[1]), place(square, p[2], p[3]));
    }
    if (known) {
      roi.size /= net.manifest["finder"]["closer"].get<double>();
      auto picture = crop(bgr, w, h, roi, 256, true);
      Values feeds; feeds.emplace("image", tensor(picture, {1, 256, 256, 3}, BYTE));
      Values raw = net.run("landmarks", std::move(feeds));
      known = raw.at("presence").GetTensorData<float>()[0] >= 0.5;
      raw.erase("presence");
      Values seen = net.run("landmarks_decode", std::move(raw));
      const float *p = seen.at("points").GetTensorData<float>(), *f = seen.at("features").GetTensorData<float>();
      vector<float> rays, spread;
      for (auto& parts : net.manifest["body"]) {  // 21 joints, each of some of the 33 keypoints
        double x = 0, y = 0, variance = 0;
        for (auto& part : parts) {
          int k = part[0]; double share = part[1]; auto xy = place(roi, p[2 * k], p[2 * k + 1]);
          x += share * xy[0], y += share * xy[1];
          variance += pow(share * sigma_px(net.manifest["sigma"], k, f + 4 * k, roi.size / 64), 2);
        }
        rays.push_back(float((x - w / 2.0) / focal)), rays.push_back(float((y - h / 2.0) / focal));
        spread.push_back(float(sqrt(variance) / focal));
      }
      Values body;
      body.emplace("rays", tensor(rays, {1, 21, 2}, FLOAT)), body.emplace("ray_sigma", tensor(spread, {1, 21}, FLOAT));
      body.emplace("valid", tensor(yes, {1, 21}, ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL));
      body.emplace("focal_assumed", tensor(assumed, {1}, ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL));
      Values lifted = net.run("lifter", std::move(body));
      const float *xyz = lifted.at("xyz_m").GetTensorData<float>(), *sigma = lifted.at("sigma_m").GetTensorData<float>();
      if (known) said = {{"xyz_m", vector<float>(xyz, xyz + 63)}, {"sigma_m", vector<float>(sigma, sigma + 21)}};
      roi = around(place(roi, p[66], p[67]), place(roi, p[68], p[69]));
    }
    std::cout << said << std::endl;
  }
}
