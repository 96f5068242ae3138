"""Names of people whom many know, own compilation: a card of an invented person may bear none of them.

A name a line, as it is mostly written, in Latin, Cyrillic and Chinese script. What is left out is no fault of a card:
nobody can list everybody.
"""

LATIN = """
Albert Einstein
Isaac Newton
Charles Darwin
Marie Curie
Nikola Tesla
Thomas Edison
Galileo Galilei
Stephen Hawking
Alan Turing
Ada Lovelace
Sigmund Freud
Karl Marx
Adam Smith
Immanuel Kant
Friedrich Nietzsche
Jean Rousseau
Leonardo Vinci
Michelangelo
Vincent Gogh
Pablo Picasso
Claude Monet
Frida Kahlo
Andy Warhol
Ludwig Beethoven
Wolfgang Mozart
Johann Bach
Frederic Chopin
William Shakespeare
Charles Dickens
Jane Austen
Mark Twain
Ernest Hemingway
George Orwell
Agatha Christie
Virginia Woolf
Oscar Wilde
Stephen King
Joanne Rowling
Julius Caesar
Cleopatra
Napoleon Bonaparte
Alexander Great
George Washington
Abraham Lincoln
Thomas Jefferson
Benjamin Franklin
Theodore Roosevelt
Franklin Roosevelt
John Kennedy
Richard Nixon
Ronald Reagan
Bill Clinton
Hillary Clinton
George Bush
Barack Obama
Michelle Obama
Donald Trump
Joe Biden
Kamala Harris
Winston Churchill
Margaret Thatcher
Tony Blair
Boris Johnson
Angela Merkel
Emmanuel Macron
Charles Gaulle
Adolf Hitler
Joseph Stalin
Vladimir Lenin
Vladimir Putin
Mikhail Gorbachev
Volodymyr Zelensky
Mao Zedong
Xi Jinping
Deng Xiaoping
Mahatma Gandhi
Indira Gandhi
Narendra Modi
Nelson Mandela
Martin Luther King
Malcolm X
Rosa Parks
Mother Teresa
Dalai Lama
Queen Elizabeth
Princess Diana
Steve Jobs
Bill Gates
Elon Musk
Jeff Bezos
Mark Zuckerberg
Sam Altman
Warren Buffett
Henry Ford
Walt Disney
Coco Chanel
Oprah Winfrey
Elvis Presley
John Lennon
Paul McCartney
David Bowie
Freddie Mercury
Michael Jackson
Madonna
Beyonce
Taylor Swift
Lady Gaga
Bob Dylan
Bob Marley
Marilyn Monroe
Audrey Hepburn
Charlie Chaplin
Alfred Hitchcock
Steven Spielberg
Tom Hanks
Tom Cruise
Brad Pitt
Angelina Jolie
Leonardo DiCaprio
Meryl Streep
Emma Watson
Emma Stone
Will Smith
Muhammad Ali
Michael Jordan
LeBron James
Serena Williams
Roger Federer
Usain Bolt
Pele
Diego Maradona
Lionel Messi
Cristiano Ronaldo
David Beckham
Tiger Woods
Neil Armstrong
Yuri Gagarin
Amelia Earhart
Christopher Columbus
Marco Polo
Anne Frank
Greta Thunberg
Malala Yousafzai
Sherlock Holmes
Harry Potter
James Bond
"""

CYRILLIC = """
Александр Пушкин
Михаил Лермонтов
Николай Гоголь
Лев Толстой
Фёдор Достоевский
Антон Чехов
Иван Тургенев
Максим Горький
Михаил Булгаков
Владимир Маяковский
Сергей Есенин
Анна Ахматова
Марина Цветаева
Борис Пастернак
Александр Солженицын
Владимир Высоцкий
Булат Окуджава
Алла Пугачёва
Филипп Киркоров
Виктор Цой
Пётр Чайковский
Дмитрий Шостакович
Сергей Рахманинов
Илья Репин
Казимир Малевич
Марк Шагал
Иван Грозный
Екатерина Вторая
Александр Невский
Николай Романов
Владимир Ленин
Иосиф Сталин
Лев Троцкий
Никита Хрущёв
Леонид Брежнев
Михаил Горбачёв
Борис Ельцин
Владимир Путин
Дмитрий Медведев
Алексей Навальный
Сергей Лавров
Владимир Зеленский
Дональд Трамп
Барак Обама
Юрий Гагарин
Валентина Терешкова
Сергей Королёв
Дмитрий Менделеев
Михаил Ломоносов
Иван Павлов
Андрей Сахаров
Лев Ландау
Константин Циолковский
Георгий Жуков
Михаил Кутузов
Александр Суворов
Гарри Каспаров
Анатолий Карпов
Александр Овечкин
Лев Яшин
Мария Шарапова
Майя Плисецкая
Никита Михалков
Андрей Тарковский
Юрий Никулин
Фаина Раневская
Павел Дуров
Илон Маск
Стив Джобс
Билл Гейтс
Альберт Эйнштейн
Исаак Ньютон
Шерлок Холмс
Гарри Поттер
Остап Бендер
Родион Раскольников
Анна Каренина
"""

CHINESE = """
孔子
老子
孟子
庄子
秦始皇
刘邦
项羽
曹操
刘备
诸葛亮
关羽
武则天
唐太宗
成吉思汗
康熙
乾隆
李白
杜甫
白居易
苏轼
李清照
曹雪芹
鲁迅
老舍
巴金
茅盾
钱钟书
张爱玲
金庸
古龙
莫言
余华
刘慈欣
孙中山
蒋介石
毛泽东
周恩来
刘少奇
邓小平
江泽民
胡锦涛
习近平
李克强
李强
朱镕基
钱学森
袁隆平
屠呦呦
邓稼先
华罗庚
陈景润
杨振宁
李政道
丁肇中
马云
马化腾
任正非
雷军
李彦宏
刘强东
王健林
李嘉诚
李小龙
成龙
李连杰
周星驰
周润发
刘德华
张学友
张国荣
梅艳芳
邓丽君
周杰伦
王菲
巩俐
章子怡
范冰冰
张艺谋
陈凯歌
姚明
刘翔
李娜
郎平
丁俊晖
孙杨
谷爱凌
郎朗
齐白石
徐悲鸿
爱因斯坦
阿尔伯特·爱因斯坦
牛顿
居里夫人
莎士比亚
拿破仑
特朗普
唐纳德·特朗普
奥巴马
普京
马斯克
埃隆·马斯克
乔布斯
比尔·盖茨
孙悟空
林黛玉
贾宝玉
"""
