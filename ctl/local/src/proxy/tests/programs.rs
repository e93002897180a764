use super::*;

/// Both are on every machine that this project is built on; where one is not, the test fails and says so.
#[tokio::test]
async fn curl_reaches_a_service_by_its_names() {
    let setting = Setting::new().await;
    let (proxy, port) = (format!("http://{}", setting.proxy), setting.port());
    for more in [&[][..], &["--proxytunnel"]] {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--proxy", &proxy]).args(more);
        curl.arg(format!("http://service-b:{port}/x")).arg(format!("http://service-b.demo.svc.cluster.local:{port}/y"));
        let (out, err) = setting.program(&mut curl, 2).await;
        let expected =
            format!("get /x HTTP/1.1 as service-b:{port}get /y HTTP/1.1 as service-b.demo.svc.cluster.local:{port}");
        assert_eq!(out, expected, "{err}");
    }
}

#[tokio::test]
async fn pythons_urllib_reaches_a_service_and_what_is_none() {
    let setting = Setting::new().await;
    let port = setting.port();
    let script = format!(
        "import urllib.request as u, urllib.error as e\n\
         for host in ('service-b', 'service-b.demo', '127.0.0.1'):\n\
         \x20   print(u.urlopen(f'http://{{host}}:{port}/x').read().decode())\n\
         import http.client\n\
         tunnel = http.client.HTTPConnection('{}', {})\n\
         tunnel.set_tunnel('service-b.demo', {port})\n\
         tunnel.request('GET', '/t')\n\
         print(tunnel.getresponse().read().decode())\n\
         try: u.urlopen('http://service-x:1/')\n\
         except e.HTTPError as error: print(error.code, error.read().decode())\n",
        setting.proxy.ip(),
        setting.proxy.port(),
    );
    let mut python = Command::new("python3");
    // `-S`: nothing of the machine's own set-up.
    python.args(["-S", "-c", &format!("import os; os.environ['http_proxy'] = 'http://{}'\n{script}", setting.proxy)]);
    let (out, err) = setting.program(&mut python, 4).await;
    let lines: Vec<_> = out.lines().collect();
    let expected = ["service-b", "service-b.demo", "127.0.0.1"].map(|host| format!("get /x HTTP/1.1 as {host}:{port}"));
    assert_eq!(lines[..3], expected, "{err}");
    assert_eq!(lines[3], format!("get /t HTTP/1.1 as service-b.demo:{port}"));
    assert!(lines[4].starts_with("502 {") && lines[4].contains("no service `service-x` runs in demo"), "{out}");
}
