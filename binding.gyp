{
  'targets': [
    {
      'target_name': 'ambit',
      'sources': [
        'src/native/addon.cc',
        'src/native/accept-batch.cc',
        'src/native/conntrack.cc',
        'src/native/fd-watch.cc',
        'src/native/icmp-socket.cc',
        'src/native/ip-address.cc',
        'src/native/js-options.cc',
        'src/native/netns-scope.cc',
        'src/native/open-socket.cc',
        'src/native/socket-endpoints.cc',
        'src/native/process-limits.cc',
        'src/native/process-memory.cc',
        'src/native/record-keys.cc',
        'src/native/seqpacket.cc',
        'src/native/socket-send.cc',
        'src/native/socket-settings.cc',
      ],
      'defines': ['NAPI_DISABLE_CPP_EXCEPTIONS', 'NAPI_VERSION=9'],
      'cflags_cc': [
        '-std=c++20',
        '-Wall',
        '-Wextra',
        '-Werror',
        '-fvisibility=hidden',
        '-isystem', '<(module_root_dir)/node_modules/node-addon-api',
      ],
    },
  ],
}
